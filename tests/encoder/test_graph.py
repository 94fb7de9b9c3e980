import os
import subprocess
import sys
from pathlib import Path

import torch

from encoder.graph import EvidenceCounter, NodeFeatures, RelationConv, SubgraphEncoder

ROOT = Path(__file__).parents[2]
EDGES = torch.tensor([[0, 1, 2], [3, 3, 3]])


def test_messages_follow_the_equation():
    torch.manual_seed(0)
    layer = RelationConv(4, 2)
    x, relation, weight = torch.randn(4, 4), torch.tensor([0, 1, 0]), torch.tensor([1.0, 0.5, 0.0])
    rows = [
        w * layer.relation.weight[r] * layer.neighbour(x[j]) for j, r, w in zip(range(3), relation, weight, strict=True)
    ]
    received = torch.zeros(4, 4)
    received[3] = sum(rows)
    expected = x + layer.update_node(layer.norm(torch.cat((x, received), -1)))
    assert torch.allclose(layer(x, EDGES, relation, weight), expected, atol=1e-6)


def test_relation_weight_and_direction_matter():
    torch.manual_seed(0)
    graph = SubgraphEncoder(width=8, relations=2, layers=1).eval()
    x, relation, weight = torch.randn(4, 8), torch.tensor([0, 0, 1]), torch.ones(3)
    plain = graph(x, EDGES, relation, weight)
    assert not torch.allclose(plain, graph(x, EDGES, torch.tensor([1, 0, 1]), weight))
    assert not torch.allclose(plain, graph(x, EDGES, relation, torch.tensor([0.1, 1.0, 1.0])))
    assert not torch.allclose(plain, graph(x, EDGES.flip(0), relation, weight))
    changed = x.clone()
    changed[3] += 1
    assert not torch.allclose(plain[0], graph(changed, EDGES, relation, weight)[0]), "both directions of an edge carry"


def test_a_graph_without_edges_and_an_empty_graph_work():
    graph = SubgraphEncoder(width=8, relations=2)
    none, empty = torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    assert graph(torch.randn(3, 8), none, empty, torch.zeros(0)).shape == (3, 8)
    assert graph(torch.zeros(0, 8), none, empty, torch.zeros(0)).shape == (0, 8)


def test_concepts_share_all_weights():
    """Renaming concepts (permuting nodes) permutes the result: no node has a parameter of its own."""
    torch.manual_seed(0)
    features = NodeFeatures(name_width=5, categories=3, states=2, scalars=4, channels=2, width=8, dropout=0.0).eval()
    graph = SubgraphEncoder(width=8, relations=2).eval()
    name, scalars, support = torch.randn(4, 5), torch.randn(4, 4), torch.randn(4, 2)
    category, state = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 1, 0])
    relation, weight = torch.tensor([0, 1, 1]), torch.rand(3)
    plain = graph(features(name, category, state, scalars, support), EDGES, relation, weight)
    order = torch.tensor([2, 0, 3, 1])
    place = order.argsort()
    moved = features(name[order], category[order], state[order], scalars[order], support[order])
    assert torch.allclose(graph(moved, place[EDGES], relation, weight), plain[order], atol=1e-5)


def counter() -> EvidenceCounter:
    torch.manual_seed(0)
    return EvidenceCounter(path_types=3, states=3, features=2, counting=(1,), weak=(2,))


def test_before_training_the_counter_ranks_by_weighted_present_evidence():
    count = counter()
    kind, state = torch.tensor([0, 0, 0, 2]), torch.tensor([1, 1, 2, 1])
    single = count.contributions(kind, state, torch.tensor([0.9, 0.2, 0.9, 0.9]), torch.ones(4), torch.randn(4, 2))
    assert single.shape == (4, 4)
    strong, weak, denied, bare = single[:, 0].tolist()
    assert strong > weak > 0
    assert denied == 0
    assert 0 < bare < 0.1
    total = count(single, torch.tensor([0, 0, 1, 1]), 3)
    assert torch.allclose(total[0], single[0] + single[1])
    assert not total[2].any()


def test_the_counter_learns_what_a_denied_finding_means():
    count = counter()
    optimizer = torch.optim.Adam(count.parameters(), 0.05)
    state, ones = torch.tensor([2]), torch.ones(1)
    for _ in range(60):
        added = count.contributions(torch.tensor([0]), state, ones, ones, torch.ones(1, 2))[:, 0]
        optimizer.zero_grad()
        (added + 1).pow(2).mean().backward()
        optimizer.step()
    assert added.item() < -0.5


def test_an_encoder_leaves_no_file_in_the_temporary_directory(tmp_path: Path) -> None:
    """In a process of its own, since a library may write one for the first encoder alone."""
    code = "from encoder.graph import SubgraphEncoder; SubgraphEncoder(width=4, relations=2)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
