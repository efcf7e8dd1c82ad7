"""Train the small GPT-2 that ships with ragcli: `python train.py DATA --work STATE`.

Documents → byte-level BPE → packed rows → one loop, limited by time → this folder's files.
"""

import argparse
import gzip
import json
import math
import random
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel

END = "<|endoftext|>"
CONTEXT, VOCABULARY, LAYERS, HEADS, WIDTH = 512, 4096, 4, 4, 192
BATCH = 8  # rows a step
ANSWER_WEIGHT = 3.0  # an answer is a tenth of its example: without this, copying is learnt late
RATE = 3e-3  # peak, of both optimizers
SHARES = {"film-wikipedia": 0.5, "eltec": 0.11, "glossary": 0.0}  # of a source's documents, as plain text; else all
QUOTING_BOOKS = {"us-history", "world-history", "life-liberty-and-pursuit-happiness", "writing-guide"}


class Document(NamedTuple):
    source: str
    doc_id: str
    title: str
    text: str

    def passage(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


class Example(NamedTuple):
    source: str
    gold: Document
    question: str
    answer: str


class Row(NamedTuple):
    tokens: list[int]
    weights: list[float]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def tidy(text: str) -> str:
    """Leave no blank line inside a passage: blank lines separate passages."""
    return re.sub(r"\s*\n\s*\n\s*", "\n", text).strip()


def read_documents(data: Path) -> Iterator[Document]:
    """Yield every document whose licence lets anyone redistribute what was made of it."""
    files = {
        "openstax": "openstax/documents.jsonl.gz",
        "python-docs": "python-docs/documents-en.jsonl.gz",
        "python-faq": "python-faq-en/documents.jsonl",
        "film-wikipedia": "film-wikipedia-extracts/documents.jsonl.gz",
        "squad": "squad-v1.1-train-subset/documents.jsonl",
    }
    for source, name in files.items():
        for line in read_jsonl(data / name):
            # python-faq has the FAQ pages already, cut otherwise: twice would leak held-out text.
            if line.get("book") not in QUOTING_BOOKS and not (
                source == "python-docs" and line["id"].startswith("faq/")
            ):
                yield Document(source, line["id"], line["title"], tidy(line["text"]))
    yield from read_glossary(data)
    yield from read_novels(data)


def read_glossary(data: Path) -> Iterator[Document]:
    for line in read_jsonl(data / "openstax/glossary.jsonl"):
        definition = line["definition"].strip()
        if line["book"] not in QUOTING_BOOKS and line["term"] and len(definition) > 20:
            text = definition[0].upper() + definition[1:].rstrip(".") + "."
            yield Document("glossary", line["term"].lower(), line["term"], tidy(text))


def read_novels(data: Path) -> Iterator[Document]:
    """Yield pieces of about 2,000 characters, all with their novel's number as id."""
    with gzip.open(data / "text-eltec-eng/eltec-eng.txt.gz", "rt", encoding="utf-8") as file:
        novels = file.read().split(END)
    for number, novel in enumerate(novels):
        piece = ""
        for paragraph in novel.split("\n\n"):
            piece += tidy(paragraph) + "\n"
            if len(piece) > 2000:
                yield Document("eltec", str(number), "", piece.strip())
                piece = ""


def read_questions(data: Path, documents: dict[str, Document]) -> Iterator[Example]:
    """Yield questions with their gold passage; the answer is a sentence of it."""
    for source, folder in (("squad", "squad-v1.1-train-subset"), ("python-faq", "python-faq-en")):
        for line in read_jsonl(data / folder / "qa.jsonl"):
            gold = documents[line["doc_id"]]
            answer = line["answers"][0] if source == "squad" else sentences(line["answers"][0])[0]
            if source == "squad":
                holders = [sentence for sentence in sentences(gold.text) if answer in sentence]
                answer = max(holders, key=lambda sentence: overlap(sentence, line["question"]), default="")
            if answer:
                yield Example(source, gold, line["question"].strip(), " ".join(answer.split()))


def define(entry: Document, rng: random.Random) -> Example:
    question = rng.choice(["What is {}?", "What is {}?", "What does {} mean?", "Define {}."]).format(entry.title)
    return Example("glossary", entry, question, entry.text)


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])", text.strip())


def overlap(sentence: str, question: str) -> int:
    return len(set(re.findall(r"\w+", sentence.lower())) & set(re.findall(r"\w+", question.lower())))


def hold_out(ids: Iterable[str], share: float, seed: int) -> set[str]:
    unique = sorted(set(ids))
    random.Random(seed).shuffle(unique)
    return set(unique[: math.ceil(share * len(unique))])


def render(passages: list[Document], question: str) -> str:
    numbered = (f"[{n}] {passage.passage()}" for n, passage in enumerate(passages, 1))
    return "\n\n".join(numbered) + f"\n\nQuestion: {question}\nAnswer:"


def build(example: Example, others: list[Document], most: int, tokenizer: Tokenizer, rng: random.Random) -> Row | None:
    """Add up to `most` random other passages, as many as fit; None where the gold passage alone does not."""
    answer = tokenizer.encode(f" {example.answer}{END}").ids
    others = [
        other
        for other in rng.sample(others, min(len(others), rng.randint(0, most)))
        if other.doc_id != example.gold.doc_id
    ]
    passages = [example.gold, *others]
    while passages:
        shuffled = rng.sample(passages, len(passages))
        prompt = tokenizer.encode(render(shuffled, example.question)).ids
        if len(prompt) + len(answer) <= CONTEXT:
            return Row(prompt + answer, [1.0] * len(prompt) + [ANSWER_WEIGHT] * len(answer))
        passages.pop()
    return None


def build_all(examples: list[Example], tokenizer: Tokenizer, rng: random.Random) -> list[Row]:
    """Give each example distractors from its own source and side (training or held out)."""
    pools: dict[str, list[Document]] = {}
    for source, gold in dict.fromkeys((example.source, example.gold) for example in examples):
        pools.setdefault(source, []).append(gold)
    most = {"squad": 2, "python-faq": 2, "glossary": 4}
    rows = (build(example, pools[example.source], most[example.source], tokenizer, rng) for example in examples)
    return [row for row in rows if row]


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        ),
    )
    return tokenizer


def pack(texts: list[str], examples: list[Row], tokenizer: Tokenizer, rng: random.Random) -> tuple[Any, Any]:
    """Return tokens (rows, CONTEXT) and weights: examples whole, text in the rest."""
    stream = [
        token for encoding in tokenizer.encode_batch_fast([text + END for text in texts]) for token in encoding.ids
    ]
    tokens, weights, position = [], [], 0
    queue = rng.sample(examples, len(examples))
    while position + CONTEXT <= len(stream):
        row, weight = list[int](), list[float]()
        while queue and len(row) + len(queue[-1].tokens) <= CONTEXT:
            row += queue[-1].tokens
            weight += queue.pop().weights
        space = CONTEXT - len(row)
        tokens.append(row + stream[position : position + space])
        weights.append(weight + [1.0] * space)
        position += space
    order = rng.sample(range(len(tokens)), len(tokens))
    return np.array(tokens, np.int16)[order], np.array(weights, np.float16)[order]


def new_model() -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
        activation_function="gelu_pytorch_tanh",  # gelu_new as one kernel
        bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    plant_copying(model)
    return model


@torch.no_grad()
def plant_copying(model: GPT2LMHeadModel) -> None:
    """Start with an induction circuit (Olsson et al. 2022), so that the model can copy from its first step on.

    Head 0 of block 0 looks one token back; heads 0 and 1 of block 1 look at what followed the same token before. Ten
    million tokens are too few to find this. Every weight stays free to move. Columns of the residual stream at the
    start: [0, 96) the token, [96, 144) half of the token before, [144, 192) the position as sines and cosines.
    """
    weights = dict(model.transformer.named_parameters())
    head, same = WIDTH // HEADS, torch.eye(WIDTH // HEADS)
    for block in range(LAYERS):  # blocks add nothing yet: their noise would drown the circuit
        weights[f"h.{block}.attn.c_proj.weight"].zero_()
        weights[f"h.{block}.mlp.c_proj.weight"].zero_()
    frequencies = 2.0 * 400.0 ** (-torch.arange(head // 2) / (head // 2))
    angles = torch.arange(CONTEXT)[:, None] * frequencies
    weights["wte.weight"][:, 2 * head :] = 0
    weights["wpe.weight"].zero_()
    weights["wpe.weight"][:, 3 * head :] = 0.03 * torch.cat([angles.sin(), angles.cos()], 1)
    cosine, sine = frequencies.cos().diag(), frequencies.sin().diag()
    back = torch.cat(
        [torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)]
    )  # turns a position to the one before

    set_head(weights["h.0.attn.c_attn.weight"], 0, (3 * head, 3 * head, 0), (3.0 * back, 3.0 * same, same))
    weights["h.0.attn.c_proj.weight"][:head, 2 * head : 3 * head] = 0.025 * same
    for n in (0, 1):  # together they copy both halves of the token
        set_head(weights["h.1.attn.c_attn.weight"], n, (0, 2 * head, n * head), (1.3 * same, 1.3 * same, same))
        own = slice(n * head, (n + 1) * head)
        weights["h.1.attn.c_proj.weight"][own, own] = 0.05 * same


def set_head(weight: torch.Tensor, n: int, rows: tuple[int, int, int], maps: tuple[torch.Tensor, ...]) -> None:
    """Let query, key and value of head n read the residual stream from their row on, each through its map."""
    head = WIDTH // HEADS
    for part, (row, values) in enumerate(zip(rows, maps, strict=True)):
        columns = slice(part * WIDTH + n * head, part * WIDTH + (n + 1) * head)
        weight[:, columns] = 0
        weight[row : row + head, columns] = values


def loss_of(model: GPT2LMHeadModel, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean cross-entropy in nats of tokens (rows, positions), each predicted from those before."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens).logits
    losses = cross_entropy(logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten(), reduction="none")
    return (losses * weights[:, 1:].flatten()).sum() / weights[:, 1:].sum()


def new_optimizers(model: GPT2LMHeadModel) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the matrices of the blocks, AdamW for embeddings, norms and biases."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".h." in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or ".h." not in name]
    return [
        torch.optim.Muon(matrices, lr=RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def batch(tokens: Any, weights: Any, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = np.arange(step * BATCH, (step + 1) * BATCH) % len(tokens)
    return torch.from_numpy(tokens[rows]).long(), torch.from_numpy(weights[rows]).float()


def train(model: GPT2LMHeadModel, tokens: Any, weights: Any, minutes: float, state: Path) -> tuple[int, float]:
    """Train for so many minutes, those before a restart included; return steps and final smoothed loss."""
    optimizers = new_optimizers(model)
    step, spent, smooth = load_state(state, model, optimizers) if state.exists() else (0, 0.0, 0.0)
    compiled = torch.compile(loss_of)
    torch.autograd.backward(
        compiled(model, *batch(tokens, weights, 0))
    )  # compiling is not training: before the clock starts
    model.zero_grad(set_to_none=True)
    started, saved_at = time.perf_counter() - spent, spent
    while (share := spent / (60 * minutes)) < 1:
        rate = RATE * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
        loss = compiled(model, *batch(tokens, weights, step))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
        model.zero_grad(set_to_none=True)
        step, smooth = step + 1, loss.item() if step == 0 else 0.98 * smooth + 0.02 * loss.item()
        spent = time.perf_counter() - started
        if step % 50 == 0:
            speed = step * BATCH * CONTEXT / spent
            print(f"step {step}  {spent / 60:.1f} min  loss {smooth:.3f}  {speed:.0f} tokens/s", flush=True)
        if spent - saved_at > 120:
            save_state(state, model, optimizers, (step, spent, smooth))
            saved_at = spent
    return step, smooth


def save_state(
    path: Path, model: GPT2LMHeadModel, optimizers: list[torch.optim.Optimizer], at: tuple[int, float, float]
) -> None:
    new = path.with_suffix(".new")
    torch.save({"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "at": at}, new)
    new.replace(path)


def load_state(path: Path, model: GPT2LMHeadModel, optimizers: list[torch.optim.Optimizer]) -> tuple[int, float, float]:
    """Fill model and optimizers; return steps, seconds and smoothed loss so far."""
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    for optimizer, values in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    step, spent, smooth = saved["at"]
    return step, spent, smooth


def bits_per_byte(model: GPT2LMHeadModel, tokenizer: Tokenizer, rows: list[Row]) -> tuple[float, float]:
    """Return bits a byte over the rows' first CONTEXT tokens, all of them and the heavier (answer) ones only."""
    bits, size = np.zeros(2), np.zeros(2)
    for row in rows:
        tokens = torch.tensor([row.tokens[:CONTEXT]])
        losses = cross_entropy(model(tokens).logits[0, :-1], tokens[0, 1:], reduction="none").numpy() / math.log(2)
        answer = np.array(row.weights[1:CONTEXT]) > 1
        predicted = np.array(row.tokens[1:CONTEXT])
        for column, chosen in enumerate((answer >= 0, answer)):
            bits[column] += losses[chosen].sum()
            size[column] += len(tokenizer.decode(predicted[chosen].tolist()).encode())
    whole, answers = bits / np.maximum(size, 1)
    return float(whole), float(answers)


def complete(model: Any, tokenizer: Tokenizer, prompt: list[int], new: int, **options: Any) -> str:
    prompt = prompt[-(CONTEXT - new) :]
    output = model.generate(torch.tensor([prompt]), max_new_tokens=new, use_cache=True, pad_token_id=0, **options)
    return str(tokenizer.decode(output[0, len(prompt) :].tolist())).strip()


def evaluate(
    model: GPT2LMHeadModel, tokenizer: Tokenizer, held: list[Document], examples: list[Row], most: int = 100
) -> dict[str, Any]:
    """Measure on documents and questions never trained on."""
    model.train(False)
    bits: dict[str, float] = {}
    with torch.no_grad():
        for source in dict.fromkeys(document.source for document in held):
            texts = [END + document.passage() + END for document in held if document.source == source]
            chosen = random.Random(1).sample(texts, min(most, len(texts)))
            rows = [Row(ids := tokenizer.encode(text).ids, [1.0] * len(ids)) for text in chosen]
            bits[source] = round(bits_per_byte(model, tokenizer, rows)[0], 3)
        whole, answers = bits_per_byte(model, tokenizer, examples[: 2 * most])
    bits |= {"questions": round(whole, 3), "answers": round(answers, 3)}
    return {"bits_per_byte": bits, "answers": grade(model, tokenizer, examples[:most])}


def grade(model: GPT2LMHeadModel, tokenizer: Tokenizer, examples: list[Row]) -> dict[str, int]:
    """Count greedy answers that stand in their passages word for word, and those that begin as the gold sentence."""
    copied = right = 0
    for row in examples:
        start = row.weights.index(ANSWER_WEIGHT)
        prompt, gold = row.tokens[:start], tokenizer.decode(row.tokens[start:]).strip()
        answer = complete(model, tokenizer, prompt, min(80, CONTEXT - start), do_sample=False)
        copied += answer != "" and " ".join(answer.split()) in " ".join(tokenizer.decode(prompt).split())
        right += answer[:40] == gold[:40]
    return {"asked": len(examples), "verbatim": copied, "gold sentence begun": right}


def sample(
    model: GPT2LMHeadModel, tokenizer: Tokenizer, held: list[Document], examples: list[Row]
) -> list[dict[str, str]]:
    """Return ten unselected samples: greedy answers to held-out questions, continuations of held-out beginnings."""
    torch.manual_seed(0)
    rng, samples = random.Random(0), []
    for row in rng.sample(examples, 5):
        prompt = row.tokens[: row.weights.index(ANSWER_WEIGHT)]
        samples.append(
            {"prompt": tokenizer.decode(prompt), "output": complete(model, tokenizer, prompt, 60, do_sample=False)}
        )
    for document in rng.sample(held, 5):
        prompt = tokenizer.encode(document.passage()).ids[:16]
        output = complete(model, tokenizer, prompt, 60, do_sample=True, temperature=0.8, top_k=40)
        samples.append({"prompt": tokenizer.decode(prompt), "output": output})
    return samples


def save(model: GPT2LMHeadModel, tokenizer: Tokenizer, folder: Path) -> None:
    model.config.use_cache = model.generation_config.use_cache = True
    model.config.activation_function = "gelu_new"
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), END)
    facts = special | {
        "add_prefix_space": False,
        "model_max_length": CONTEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(facts, indent=2) + "\n")


class Corpus(NamedTuple):
    texts: list[str]  # shuffled
    asked: list[Example]
    held: list[Document]  # never trained on
    unseen: list[Example]  # about held-out documents


def read_corpus(data: Path, rng: random.Random) -> Corpus:
    """Read everything; hold out a fiftieth of each source's documents, and for SQuAD those of about 500 questions."""
    documents = list(read_documents(data))
    golds = {document.doc_id: document for document in documents if document.source in ("squad", "python-faq")}
    questions = list(read_questions(data, golds))
    questions += [define(document, rng) for document in documents if document.source == "glossary"]
    sources = dict.fromkeys(document.source for document in documents)
    out = {source: hold_out((d.doc_id for d in documents if d.source == source), 0.02, 0) for source in sources}
    out["squad"] = hold_out((question.gold.doc_id for question in questions if question.source == "squad"), 0.043, 0)
    held = [document for document in documents if document.doc_id in out[document.source]]
    kept = [document for document in documents if document.doc_id not in out[document.source]]
    texts = [document.passage() for document in kept if rng.random() < SHARES.get(document.source, 1.0)]
    rng.shuffle(texts)
    asked = [question for question in questions if question.gold.doc_id not in out[question.source]]
    unseen = [question for question in questions if question.gold.doc_id in out[question.source]]
    return Corpus(texts, asked, held, unseen)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with openstax/, squad-v1.1-train-subset/, …")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--work", type=Path, required=True, help="folder for the resumable state and the report")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rng = random.Random(0)
    options.work.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus(options.data, rng)
    vocabulary = options.work / "tokenizer.json"
    if not vocabulary.exists():
        train_tokenizer(corpus.texts[::2]).save(str(vocabulary))
    tokenizer = Tokenizer.from_file(str(vocabulary))
    asked, unseen = build_all(corpus.asked, tokenizer, rng), build_all(corpus.unseen, tokenizer, rng)
    rng.shuffle(unseen)
    tokens, weights = pack(corpus.texts, asked, tokenizer, rng)
    share = sum(len(row.tokens) for row in asked) / tokens.size
    print(f"{len(corpus.texts)} texts, {len(asked)} questions ({share:.0%} of {tokens.size} tokens)", flush=True)

    model = new_model()
    step, loss = train(model, tokens, weights, options.minutes, options.work / "state.pt")
    save(model, tokenizer, options.output)
    report: dict[str, Any] = {"parameters": model.num_parameters(), "minutes": options.minutes, "steps": step}
    report |= {"tokens": step * BATCH * CONTEXT, "loss": round(loss, 3)}
    report |= evaluate(model, tokenizer, corpus.held, unseen)
    print(json.dumps(report, indent=2))
    report["samples"] = sample(model, tokenizer, corpus.held, unseen)
    (options.work / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
