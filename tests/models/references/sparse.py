"""Makes the folders of tests/models/sparse but max, sum and layout5, with the weights that sentence-transformers 6.0 gives:
python sparse.py OUT_FOLDER FOLDER_OF_A_TOKENIZER (tests/models/sparse/max). Random weights; the tokenizer is the same in all.
layout5 is distilbert with the files as sentence-transformers 5 writes them."""
import json
import os
import shutil
import sys
import warnings

import torch
warnings.filterwarnings('ignore')
out, base = sys.argv[1], sys.argv[2]
from transformers import (BertConfig, DistilBertConfig, RobertaConfig, XLMRobertaConfig, ModernBertConfig, AutoModelForMaskedLM, PreTrainedTokenizerFast)
from sentence_transformers import SparseEncoder
import sentence_transformers.sparse_encoder.modules as M
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.base.modules.router import Router
texts = ["the cat sat on the mat .", "who is it ?", "where runs the old green river to ? to the sea !", "dogs , not cats", "a very far city by the sea , not near the dark old house ."]
def tok():
    t = PreTrainedTokenizerFast(tokenizer_file=base + '/tokenizer.json', unk_token='[UNK]', cls_token='[CLS]', sep_token='[SEP]', pad_token='[PAD]', mask_token='[MASK]', model_max_length=60)
    return t
V = 160
def cfg(kind):
    c = dict(vocab_size=V, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
    pad = tok().pad_token_id
    if kind == 'bert': return BertConfig(**c, pad_token_id=pad)
    if kind == 'distilbert': return DistilBertConfig(vocab_size=V, dim=32, hidden_dim=64, n_layers=2, n_heads=4, max_position_embeddings=64, pad_token_id=pad)
    if kind == 'roberta': return RobertaConfig(**c, type_vocab_size=1, pad_token_id=pad)
    if kind == 'xlm-roberta': return XLMRobertaConfig(**c, type_vocab_size=1, pad_token_id=pad)
    if kind == 'modernbert': return ModernBertConfig(**c, pad_token_id=pad, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
def randomise(m):
    torch.manual_seed(sum(map(ord, type(m).__name__)))
    with torch.no_grad():
        for n, p in m.named_parameters():
            if p.dim() > 1: p.normal_(0, 0.25)
            elif 'bias' in n: p.normal_(0, 0.3)
def masked(kind):
    m = AutoModelForMaskedLM.from_config(cfg(kind)); randomise(m); m.eval()
    d = out + '/tmp-' + kind
    m.save_pretrained(d); tok().save_pretrained(d)
    return d
def rows(model, pairs):
    r = []
    for role, t in pairs:
        e = {None: model.encode, 'query': model.encode_query, 'document': model.encode_document}[role]([t], convert_to_sparse_tensor=False)[0]
        w = {str(i): round(float(x), 7) for i, x in enumerate(e.tolist()) if x != 0}
        row = {'text': t, 'weights': w}
        if role: row['role'] = role
        r.append(row)
    return r
def save(model, name, pairs):
    d = out + '/' + name
    model.save_pretrained(d)
    for f in ('README.md', 'model_card.md'):
        if os.path.exists(d + '/' + f): os.remove(d + '/' + f)
    json.dump(rows(model, pairs), open(d + '/answers.json', 'w'))
plain = [(None, t) for t in texts]
for kind, strategy, act, chunk in (('distilbert', 'max', 'log1p_relu', None), ('roberta', 'sum', 'relu', 3), ('xlm-roberta', 'max', 'relu', None), ('modernbert', 'sum', 'log1p_relu', None)):
    try:
        d = masked(kind)
        m = SparseEncoder(modules=[Transformer(d, transformer_task='fill-mask'), M.SpladePooling(pooling_strategy=strategy, activation_function=act, chunk_size=chunk)], device='cpu')
        save(m, kind, plain)
    except Exception as e:
        print(kind, 'FAILED', repr(e)[:500])
try:
    d = masked('bert')
    doc = Transformer(d, transformer_task='fill-mask')
    t = tok()
    torch.manual_seed(5)
    idf = {t.convert_ids_to_tokens(i): round(float(x), 4) for i, x in enumerate((torch.rand(len(t)) * 6).tolist()) if i not in (0, 7)}
    json.dump(idf, open(out + '/idf.json', 'w'))
    q = M.SparseStaticEmbedding.from_json(out + '/idf.json', tokenizer=t, frozen=True)
    r = Router.for_query_document(query_modules=[q], document_modules=[doc, M.SpladePooling(pooling_strategy='max', activation_function='log1p_relu')])
    m = SparseEncoder(modules=[r], similarity_fn_name='dot', device='cpu')
    save(m, 'router', [('query', x) for x in texts] + [('document', x) for x in texts] + plain[:2])
except Exception as e:
    import traceback; traceback.print_exc()
for k in os.listdir(out):
    if k.startswith('tmp-'): shutil.rmtree(out + '/' + k)
