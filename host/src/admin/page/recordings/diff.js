// Two lists of lines beside each other: what both have, and what only one has.

// Past that the lists are compared as they stand, line by line.
const LINES_MAX = 400;

/** Returns both lists as `{text, is}`, where `is` is `same` or `only`. Lines are equal where `key` makes them so. */
export function compared(one, other, key = (line) => line) {
  const left = one.map(key);
  const right = other.map(key);
  const marked = (lines, kept) => lines.map((text, index) => ({ text, is: kept.has(index) ? 'same' : 'only' }));
  const pairs = left.length > LINES_MAX || right.length > LINES_MAX ? inPlace(left, right) : longest(left, right);
  return [marked(one, new Set(pairs.map(([index]) => index))), marked(other, new Set(pairs.map(([, index]) => index)))];
}

function inPlace(left, right) {
  return left.flatMap((line, index) => (line === right[index] ? [[index, index]] : []));
}

/** Returns the pairs of a longest common subsequence. */
function longest(left, right) {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = left[i] === right[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
    else j += 1;
  }
  return pairs;
}
