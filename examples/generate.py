"""Generate from a checkpoint in Python: one text, a stream, and many requests at once.

Run it as: python examples/generate.py RUN_OR_CHECKPOINT "def voice("
"""

import sys

from stretto import Engine
from stretto.spec.request import Sampling


def main(path: str, prompt: str) -> None:
    """Continue `prompt` in three ways."""
    engine = Engine.load(path)

    print("The likeliest continuation:")
    print(prompt + engine.complete(prompt, Sampling(temperature=0, max_tokens=60)))

    print("\nA reply, as it comes:")
    for delta in engine.chat([{"role": "user", "content": prompt}], Sampling(max_tokens=60)):
        print(delta.text, end="", flush=True)

    print("\n\nFour draws side by side, the quickest first:")
    sampling = Sampling(temperature=0.9, top_p=0.95, stop=("\n\n",))
    requests = [engine.request(f"draw {n}", prompt, sampling) for n in range(4)]
    for done in engine.completions(requests):
        print(f"{done.id}: {len(done.tokens)} tokens, log-probability {sum(done.logprobs):.1f}, {done.finish}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
