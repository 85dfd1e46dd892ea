// The tables as Python modules (3.10 and newer): constants in upper case, frozen data classes, types that a checker can read. Pure.
import {
  type EntryStyle,
  entryIn,
  type LimitRow,
  madeFrom,
  type NameRow,
  snakeCase,
  type Tables,
  wrap,
} from "./tables.ts";

const quote = (text: string): string => JSON.stringify(text);
const width = 88;

const literals = (name: string, values: Iterable<string>): string => {
  const items = Array.from(new Set(values), (value) => `    ${quote(value)},\n`);
  return `${name} = Literal[\n${items.join("")}]\n`;
};

const entryStyle: EntryStyle = {
  width: 120,
  indent: "        ",
  step: "    ",
  open: (reason) => `${quote(reason)}: ErrorEntry`,
  quote,
  word: quote,
  isTrue: "True",
  assign: "=",
  join: "",
};

function errorsModule({ errors, closeCodes }: Tables): string {
  return `"""Everything that can go wrong, by its \`\`reason\`\` (docs/ERRORS.md).

${madeFrom("errors.ts")}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, Literal

${literals(
  "ErrorCode",
  errors.map(({ code }) => code),
)}
${literals(
  "ErrorScope",
  errors.map(({ scope }) => scope),
)}
Processed = Literal["no", "maybe", "yes"]


@dataclass(frozen=True)
class ErrorEntry:
    """What one reason means, and what to do about it."""

    code: ErrorCode
    status: int
    """The HTTP status, where it answers a request."""
    scope: ErrorScope
    """How much of what was sent is touched."""
    detail: str
    """What happened, and what to do about it."""
    retryable: bool = False
    """The very same thing may succeed later."""
    processed: Processed = "no"
    """Whether what was sent took effect."""
    closes: int | None = None
    """The WebSocket close code that follows, where one does."""


# fmt: off
ERRORS: Final[Mapping[str, ErrorEntry]] = MappingProxyType(
    {
${errors.map((row) => entryIn(entryStyle, row)).join("")}    }
)
# fmt: on


class CloseCode(IntEnum):
    """WebSocket close codes of the protocol (PROTOCOL C5)."""

${closeCodes.map(({ name, code }) => `    ${name.toUpperCase()} = ${code}\n`).join("")}

def is_final_close(code: int) -> bool:
    """After such a close a client must not reconnect by itself."""
    return 4000 <= code < 4500
`;
}

function limitLine({ name, value, doc }: LimitRow): string {
  const about =
    doc === undefined
      ? ""
      : `${wrap(doc, width - 3)
          .map((line) => `#: ${line.trimEnd()}\n`)
          .join("")}`;
  return `${about}${snakeCase(name).toUpperCase()}: Final = ${value}\n`;
}

const limitsModule = ({
  limits,
}: Tables): string => `"""The protocol's limits, as far as a client has to know them (PROTOCOL L).

Bytes are bytes of UTF-8, times are milliseconds.
${madeFrom("limits.ts")}
"""

from typing import Final

${limits.map(limitLine).join("")}`;

const setOf = ({ name, doc, values }: NameRow): string => {
  const members = values.map((value) => `        ${quote(value)},\n`);
  return `#: ${doc.replaceAll("`", "``")}\n${name}: Final = frozenset(\n    {\n${members.join("")}    }\n)\n`;
};

const typesModule = ({
  names,
}: Tables): string => `"""The names of envelope types, states and outcomes (PROTOCOL, Types).

${madeFrom("envelope.ts")}
"""

from typing import Final

${names.map(setOf).join("\n")}`;

/** File name → text. */
export const pythonModules = (tables: Tables): Record<string, string> => ({
  "errors.py": errorsModule(tables),
  "limits.py": limitsModule(tables),
  "types.py": typesModule(tables),
});
