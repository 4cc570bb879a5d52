"""Steps of training in plain PyTorch (families.py), dropout off: loss, gradient norm before clipping and rate, a step.

AdamW by Transformers' rule: betas 0.9 and 0.999, eps 1e-8, no decay on biases and norms, linear to 0 without warm-up.
"""

import torch


def decays(name):
    """Transformers' get_decay_parameter_names: weights of no norm."""
    return not (name.endswith("bias") or "norm" in name.lower() or name.endswith((".gamma", ".beta")))


def train(model, loss_of, batches, rate=1e-4, decay=0.01, clip=1.0):
    """loss_of(model, batch): the mean over the batch's labels. One line a step."""
    with_decay = [p for n, p in model.p.items() if decays(n)]
    without = [p for n, p in model.p.items() if not decays(n)]
    adam = torch.optim.AdamW([{"params": with_decay, "weight_decay": decay}, {"params": without, "weight_decay": 0.0}],
                             lr=rate, betas=(0.9, 0.999), eps=1e-8)
    lines = []
    for i, batch in enumerate(batches):
        now = rate * (1 - i / len(batches))
        for group in adam.param_groups:
            group["lr"] = now
        adam.zero_grad(set_to_none=True)
        loss = loss_of(model, batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for p in model.p.values() if p.grad is not None], clip)
        adam.step()
        lines.append({"step": i + 1, "loss": loss.item(), "grad_norm": norm.item(), "learning_rate": now})
    return lines
