"""losses.safetensors: outputs of models and targets of a few numbers, and what PyTorch's losses are of them. unit/test_objective
holds frontend/hub/objective against it. Run: python3 losses.py
"""

import os

import torch
import torch.nn.functional as F

from families import write

torch.manual_seed(11)
out = {}


def case(name, loss, **tensors):
    out[name + ".loss"] = loss.reshape(1)
    for key, x in tensors.items():
        out[f"{name}.{key}"] = x


x = torch.randn(7, 5) * 3
labels = torch.tensor([0, 4, -100, 2, 2, -100, 1])
weights = torch.tensor([0.5, 1.0, 2.0, 0.25, 3.0])
case("plain", F.cross_entropy(x, labels), logits=x, labels=labels)
case("smooth", F.cross_entropy(x, labels, label_smoothing=0.1), logits=x, labels=labels)
case("weights", F.cross_entropy(x, labels, weights), logits=x, labels=labels)
case("both", F.cross_entropy(x, labels, weights, label_smoothing=0.1), logits=x, labels=labels)
case("large", F.cross_entropy(x * 1000, labels), logits=x * 1000, labels=labels)

teacher = torch.randn(7, 5)
known = labels >= 0
soft = F.kl_div(F.log_softmax(x[known] / 2, 1), F.softmax(teacher[known] / 2, 1), reduction="batchmean") * 4
case("teacher", 0.3 * F.cross_entropy(x, labels) + 0.7 * soft, logits=x, labels=labels, teacher=teacher)

y = (torch.rand(4, 3) > 0.5).float()
z = torch.randn(4, 3) * 40
case("several", F.binary_cross_entropy_with_logits(z, y), logits=z, labels=y)
case("numbers", F.mse_loss(z, y), logits=z, labels=y)

sizes = [3, 1, 6]
start, end = torch.randn(10), torch.randn(10)
starts, ends = torch.tensor([2, -100, 0]), torch.tensor([2, -100, 5])
loss = sum(F.cross_entropy(torch.split(v, sizes)[i][None], t[i:i + 1]) for v, t in ((start, starts), (end, ends)) for i in (0, 2))
case("spans", loss / 4, start_logits=start, end_logits=end, starts=starts, ends=ends, bounds=torch.tensor([0, 3, 4, 10]))

order, following = torch.randn(3, 2), torch.tensor([1, 0, 0])
case("order", F.cross_entropy(x, labels) + F.cross_entropy(order, following), prediction_logits=x,
     seq_relationship_logits=order, labels=labels, next=following, next_weights=torch.full((3,), 5 / 3))

e = torch.randn(5, 6)
n = F.normalize(e)
# Rows 0 and 1 are anchors, 2 and 3 their positives, 4 a hard negative.
case("nearest", F.cross_entropy(20 * n[:2] @ n[2:].T, torch.tensor([0, 1])), embedding=e,
     positives=torch.tensor([2, 3, -100, -100, -100]), candidates=torch.tensor([0, 0, 1, 1, 1]))
score = torch.tensor([0.9, -0.2])
case("cosines", F.mse_loss((n[:2] * n[2:4]).sum(1), score), embedding=e,
     pairs=torch.tensor([2, 3, -100, -100, -100]), labels=torch.tensor([0.9, -0.2, 0.0, 0.0, 0.0]))

heavy = torch.tensor([0.5, 3.0, 1.0])
case("heavy", F.binary_cross_entropy_with_logits(z, y, pos_weight=heavy), logits=z, labels=y)


def mixed(hard, soft, share=0.7):
    return (1 - share) * hard + share * soft


def both_sides(v):
    return torch.stack([v, torch.zeros_like(v)], -1)


x4, t4 = torch.randn(4, 3) * 3, torch.randn(4, 3) * 3
soft = F.kl_div(F.log_softmax(both_sides(x4 / 2), -1), F.softmax(both_sides(t4 / 2), -1), reduction="none").sum(-1).mean() * 4
case("several-teacher", mixed(F.binary_cross_entropy_with_logits(x4, y), soft), logits=x4, labels=y, teacher=t4)
case("numbers-teacher", mixed(F.mse_loss(x4, y), F.mse_loss(x4, t4)), logits=x4, labels=y, teacher=t4)
know = [torch.randn(10) * 2, torch.randn(10) * 2]
soft = sum(F.kl_div(F.log_softmax(torch.split(v, sizes)[i] / 2, 0), F.softmax(torch.split(k, sizes)[i] / 2, 0), reduction="sum") * 4
           for v, k in zip((start, end), know) for i in (0, 2))
case("spans-teacher", mixed(loss / 4, soft / 4), start_logits=start, end_logits=end, starts=starts, ends=ends,
     bounds=torch.tensor([0, 3, 4, 10]), teacher_starts=know[0], teacher_ends=know[1])
known = torch.randn(5, 6)
case("nearest-teacher", mixed(F.cross_entropy(20 * n[:2] @ n[2:].T, torch.tensor([0, 1])), F.mse_loss(e, known)), embedding=e,
     positives=torch.tensor([2, 3, -100, -100, -100]), candidates=torch.tensor([0, 0, 1, 1, 1]), teacher=known,
     teacher_weights=torch.full((5,), 2 / 5))
case("cosines-teacher", mixed(F.mse_loss((n[:2] * n[2:4]).sum(1), score), F.mse_loss(e, known)), embedding=e,
     pairs=torch.tensor([2, 3, -100, -100, -100]), labels=torch.tensor([0.9, -0.2, 0.0, 0.0, 0.0]), teacher=known,
     teacher_weights=torch.full((5,), 2 / 5))

write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.safetensors"), out)
