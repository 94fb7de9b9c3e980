"""Functions that a query of a person may call, in either store; anything else is refused."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Give the words of a text that spaces and line ends separate."""
    return frozenset(text.split())


FUNCTIONS = words(
    """
    abs acos asin atan atan2 avg ceil ceiling coalesce collect cos cot count degrees e endnode exp floor haversin head
    id elementid isempty keys label labels last left length ln log log10 log2 lower ltrim max min nodes none any all
    single exists nullif offset percentilecont percentiledisc pi pow properties radians reduce relationships rels
    replace reverse right round rtrim shortestpath allshortestpaths sign sin size split sqrt startnode stdev stdevp
    substring sum tail tan toboolean tofloat tointeger tolower tostring toupper trim type upper valuetype char_length
    character_length is_trail is_acyclic start_node end_node
    concat contains starts_with ends_with prefix suffix regexp_matches regexp_replace regexp_extract regexp_full_match
    string_split split_part initcap levenshtein cast
    list_contains list_has list_len list_extract list_element list_slice list_sort list_distinct list_unique list_concat
    list_append list_prepend list_sum list_any_value list_reverse_sort list_position list_to_string list_product
    list_has_all list_filter list_transform list_reduce array_to_string any_value
    date datetime localdatetime localtime time duration timestamp date_part date_trunc year month day
    """
)
"""Names in small letters. Not here are those that fill the memory from one number, such as ``range`` and ``repeat``."""

NAMESPACES = frozenset({"date", "datetime", "duration", "localdatetime", "localtime", "time"})
"""What may stand before a dot in a call, as in ``duration.between()``."""
