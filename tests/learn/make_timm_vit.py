#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/learn/timm_vit by Python torch and timm: `make_timm_vit.py FOLDER`.

vit.pth: state dict of a small ViT with random weights and two bands, by torch.save.
seen.safetensors: images and what timm's model says of them; `larger` has 24 x 24 pixels, with its
positions resampled as PyTorch does it (bicubic, align_corners false, no antialias).
names.tsv: model, name and shape of each tensor of the three smaller published models, without a classifier.
"""
import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

torch.manual_seed(20)
torch.use_deterministic_algorithms(True)
shape = dict(img_size=16, patch_size=4, in_chans=2, embed_dim=12, depth=2, num_heads=2, num_classes=0, global_pool="token")
model = timm.models.vision_transformer.VisionTransformer(**shape).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.normal_(0, 0.3)
    image, larger = torch.randn(2, 2, 16, 16), torch.randn(1, 2, 24, 24)
    tokens = model.forward_features(image)
    block = {}
    model.blocks[0].register_forward_hook(lambda module, inputs, output: block.update(out=output))
    model.forward_features(image)
    seen = {
        "image": image,
        "cls": model(image),
        "mean": tokens[:, 1:].mean(1),
        "block_0": block["out"][:, 1:].transpose(1, 2).reshape(2, 12, 4, 4),
        "larger": larger,
    }
    wide = timm.models.vision_transformer.VisionTransformer(**{**shape, "img_size": 24}).eval()
    state = model.state_dict()
    grid = state["pos_embed"][:, 1:].reshape(1, 4, 4, 12).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(6, 6), mode="bicubic", align_corners=False)
    wide.load_state_dict({**state, "pos_embed": torch.cat([state["pos_embed"][:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], 1)})
    seen["larger_cls"] = wide(larger)
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
torch.save(model.state_dict(), folder / "vit.pth")
published = [f"vit_{size}_patch16_224" for size in ("tiny", "small", "base")]
rows = [(name, key, "x".join(map(str, tensor.shape)))
        for name in published for key, tensor in timm.create_model(name, num_classes=0).state_dict().items()]
comment = f"# timm {timm.__version__}, vision_transformer, num_classes=0\n"
(folder / "names.tsv").write_text(comment + "".join("\t".join(row) + "\n" for row in rows))
save_file({name: tensor.contiguous() for name, tensor in seen.items()}, folder / "seen.safetensors")
