"""The ten lines that answer from one passage with transformers alone. The peer of a cold `ragcli ask`."""

import sys
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model: Any = AutoModelForCausalLM.from_pretrained(folder)
passage = "A series of statements which returns some value to a caller. " * 16
inputs = tokenizer(f"[1] {passage}\n\nQuestion: What is a function in Python?\nAnswer:", return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=50, do_sample=False, pad_token_id=tokenizer.eos_token_id)
print(tokenizer.decode(output[0][inputs["input_ids"].shape[1] :]))
