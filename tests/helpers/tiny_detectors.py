"""Tiny text-prompted detectors and segmenters with random weights, saved as folders that load like real ones."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

BERT_IDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
"""Of BERT's vocabulary; Grounding DINO knows four of them by number."""

WORDS = ("a", "cat", "dog", "red", "brown", "fox", "in", "the", "snow")
FIRST_WORD_ID = 200
MAX_TEXT_LEN = 24


def bert_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """WORDS are one token each, from FIRST_WORD_ID on; other words are letters."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = dict(BERT_IDS)
    vocabulary |= {word: FIRST_WORD_ID + index for index, word in enumerate(WORDS)}
    for index, piece in enumerate([*letters, *(f"##{letter}" for letter in letters)]):
        vocabulary.setdefault(piece, 300 + index)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def save_grounding_dino(folder: Path, *, mm: bool = False) -> Path:
    torch.manual_seed(0)
    kinds = (
        (transformers.MMGroundingDinoConfig, transformers.MMGroundingDinoForObjectDetection)
        if mm
        else (transformers.GroundingDinoConfig, transformers.GroundingDinoForObjectDetection)
    )
    config = kinds[0](
        text_config=transformers.BertConfig(
            vocab_size=1030, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            max_position_embeddings=256, initializer_range=0.3,
        ),
        backbone_config=transformers.SwinConfig(
            embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4], window_size=7, image_size=224,
            out_features=["stage2", "stage3", "stage4"],
        ),
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=4, decoder_attention_heads=4, num_queries=30, max_text_len=MAX_TEXT_LEN,
        position_embedding_type="sine",
    )  # fmt: skip
    kinds[1](config).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    return folder


def save_owlv2(folder: Path) -> Path:
    torch.manual_seed(0)
    text = transformers.Owlv2TextConfig(
        vocab_size=1030, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=101, eos_token_id=102, pad_token_id=0,
    )  # fmt: skip
    vision = transformers.Owlv2VisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16
    )
    config = transformers.Owlv2Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=32, initializer_factor=4.0
    )
    network = transformers.Owlv2ForObjectDetection(config)
    with torch.no_grad():  # boxes start out at the borders and scores at 0 or 1
        for head in (network.box_head, network.class_head):
            for parameter in head.parameters():
                parameter.normal_(0, 0.1)
    network.save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    Owlv2ImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def _sam3_vision() -> transformers.Sam3VisionConfig:
    backbone = transformers.Sam3ViTConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=112, patch_size=14,
        window_size=8, global_attn_indexes=[1], pretrain_image_size=112,
    )  # fmt: skip
    return transformers.Sam3VisionConfig(
        backbone_config=backbone, fpn_hidden_size=32, backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]]
    )


def save_sam3(folder: Path) -> Path:
    from transformers.models.sam3.modeling_sam3 import Sam3Model

    torch.manual_seed(0)
    text = transformers.CLIPTextConfig(
        vocab_size=1030, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, projection_dim=32, bos_token_id=101, eos_token_id=102, pad_token_id=0,
    )  # fmt: skip
    width = {"hidden_size": 32, "num_attention_heads": 4}
    config = transformers.Sam3Config(
        vision_config=_sam3_vision(),
        text_config=text,
        geometry_encoder_config=transformers.Sam3GeometryEncoderConfig(num_layers=1, intermediate_size=64, **width),
        detr_encoder_config=transformers.Sam3DETREncoderConfig(num_layers=1, intermediate_size=64, **width),
        detr_decoder_config=transformers.Sam3DETRDecoderConfig(
            num_layers=2, num_queries=20, intermediate_size=64, **width
        ),
        mask_decoder_config=transformers.Sam3MaskDecoderConfig(**width),
    )
    Sam3Model(config).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return folder


def save_sam3_tracker(folder: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.Sam3TrackerConfig(
        vision_config=_sam3_vision(),
        prompt_encoder_config={"hidden_size": 32, "image_size": 112, "patch_size": 14, "mask_input_channels": 8},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "iou_head_hidden_dim": 32,
        },
    )  # fmt: skip
    transformers.Sam3TrackerModel(config).save_pretrained(folder)
    return folder


def save_sam2(folder: Path, image_size: int = 64) -> Path:
    torch.manual_seed(0)
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=16, num_attention_heads=1, image_size=[image_size, image_size], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 48, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 2, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 48, 32, 16], fpn_hidden_size=32,
        backbone_feature_sizes=[[image_size // stride] * 2 for stride in (4, 8, 16)],
    )  # fmt: skip
    network = transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config=vision,
            prompt_encoder_config=transformers.Sam2PromptEncoderConfig(
                hidden_size=32, image_size=image_size, patch_size=16, mask_input_channels=8
            ),
            mask_decoder_config=transformers.Sam2MaskDecoderConfig(
                hidden_size=32, mlp_dim=64, num_hidden_layers=2, num_attention_heads=4, iou_head_hidden_dim=32
            ),
        )
    )
    with torch.no_grad():  # of the usual start all masks are nearly alike
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    network.save_pretrained(folder)
    return folder
