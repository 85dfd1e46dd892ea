// The tables as Ruby files (3.1 and newer): frozen constants in Agentworks::Protocol, with comments that YARD reads. Pure.
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

const width = 100;
/** In single quotes, as Ruby people write text; double where it holds a single one. */
const quote = (text: string): string =>
  text.includes("'") ? `"${text.replace(/["\\#]/g, "\\$&")}"` : `'${text.replace(/\\/g, "\\\\")}'`;
const symbol = (name: string): string => `:${name}`;

const head = (source: string, doc: string): string => `# frozen_string_literal: true

# ${madeFrom(source)}

module Agentworks
  module Protocol
    # ${doc}
`;
const tail = "  end\nend\n";

const entryStyle: EntryStyle = {
  width: 120,
  indent: "        ",
  step: "  ",
  open: (reason) => `${reason}: entry`,
  quote,
  word: symbol,
  isTrue: "true",
  assign: ": ",
  join: " \\",
};

const errorsFile = ({
  errors,
  closeCodes,
}: Tables): string => `${head("errors.ts", "What one reason means, and what to do about it (docs/ERRORS.md).")}    #
    # code::      gRPC's name
    # status::    the HTTP status, where it answers a request
    # scope::     how much of what was sent is touched
    # detail::    what happened, and what to do about it
    # retryable:: the very same thing may succeed later
    # processed:: whether what was sent took effect
    # closes::    the WebSocket close code that follows, or nil
    ErrorEntry = Struct.new(
      :code, :status, :scope, :detail, :retryable, :processed, :closes, keyword_init: true
    )

    # Everything that can go wrong, by its reason.
    module Errors
      def self.entry(code, status, scope, detail, retryable: false, processed: :no, closes: nil)
        ErrorEntry.new(
          code: code, status: status, scope: scope, detail: detail,
          retryable: retryable, processed: processed, closes: closes
        ).freeze
      end
      private_class_method :entry

      TABLE = {
${errors.map((row) => entryIn(entryStyle, row)).join("")}      }.freeze

      # The entry of a reason (String or Symbol), or nil for one that this version does not know.
      def self.[](reason)
        TABLE[reason.to_sym]
      end
    end

    # WebSocket close codes of the protocol (PROTOCOL C5).
    module CloseCode
${closeCodes.map(({ name, code }) => `      ${name.toUpperCase()} = ${code}\n`).join("")}
      # After such a close a client must not reconnect by itself.
      def self.final?(code)
        code >= 4000 && code < 4500
      end
    end
${tail}`;

function limitLine({ name, value, doc }: LimitRow): string {
  const about =
    doc === undefined
      ? ""
      : wrap(doc, width - 8)
          .map((line) => `      # ${line.trimEnd()}\n`)
          .join("");
  return `${about}      ${snakeCase(name).toUpperCase()} = ${String(value).replace(/\B(?=(\d{3})+$)/g, "_")}\n`;
}

const limitsFile = ({
  limits,
}: Tables): string => `${head("limits.ts", "The protocol's limits, as far as a client has to know them (PROTOCOL L).")}    # Bytes are bytes of UTF-8, times are milliseconds.
    module Limits
${limits.map(limitLine).join("")}    end
${tail}`;

/** They stand in a module Types. */
const listOf = ({ name, doc, values }: NameRow): string => {
  const lines = wrap(values.join(" "), width - 12).map((line) => `        ${line.trimEnd()}\n`);
  return `      # ${doc}\n      ${name.replace(/_TYPES$/, "")} = Set.new(%w[\n${lines.join("")}      ]).freeze\n`;
};

const typesFile = ({
  names,
}: Tables): string => `${head("envelope.ts", "The names of envelope types, states and outcomes (PROTOCOL, Types).").replace("\nmodule", "\nrequire 'set'\n\nmodule")}    module Types
${names.map(listOf).join("\n")}    end
${tail}`;

/** File name → text. */
export const rubyFiles = (tables: Tables): Record<string, string> => ({
  "errors.rb": errorsFile(tables),
  "limits.rb": limitsFile(tables),
  "types.rb": typesFile(tables),
});
