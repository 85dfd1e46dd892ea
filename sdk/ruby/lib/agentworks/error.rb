# frozen_string_literal: true

require 'json'
require_relative 'protocol/errors'

# What the SDK raises. Reasons come from the protocol's table; the few that only a client can know are added here, in one table,
# with the same fields. No I/O.
module Agentworks
  # Everything that goes wrong, here or at the broker. Rescue it, one of its classes, or branch on `reason`.
  class Error < StandardError
    # @return [Symbol] the precise, stable name to branch on (`:agent_offline`, `:certificate_revoked` …; docs/ERRORS.md)
    attr_reader :reason
    # @return [Symbol] its gRPC-style class (`:unavailable`, `:permission_denied` …)
    attr_reader :code
    # @return [String] what to do about it, for people
    attr_reader :detail
    # @return [Symbol] whether what was sent took effect: `:no`, `:maybe`, `:yes`
    attr_reader :processed

    def initialize(detail = nil, reason: :internal, code: :internal, retryable: false, processed: :no)
      @reason = reason.to_sym
      @code = code.to_sym
      @detail = detail || @reason.to_s
      @retryable = retryable
      @processed = processed.to_sym
      super("#{@reason}: #{@detail}")
    end

    # @return [Boolean] the very same call may succeed later
    def retryable?
      @retryable
    end
  end

  # One class for each code of the table.
  class InvalidArgument < Error; end
  class FailedPrecondition < Error; end
  class OutOfRange < Error; end
  class Unauthenticated < Error; end
  class PermissionDenied < Error; end
  class NotFound < Error; end
  class AlreadyExists < Error; end
  class ResourceExhausted < Error; end
  class Unavailable < Error; end
  class DataLoss < Error; end
  class Internal < Error; end

  # Nobody answered in the time that the caller gave. What was asked for goes on: wait again, or cancel it.
  class TimedOut < Error
    def initialize(detail = 'There was no answer in the time given. What was asked for goes on: wait again, or cancel it.')
      super(detail, reason: :timed_out, code: :unavailable, retryable: true, processed: :maybe)
    end
  end

  # The performer said that the task failed. Raise it in a handler to choose what the requester reads:
  #   raise Agentworks::TaskFailed.new('try a smaller one', reason: 'too_hard', retryable: true)
  class TaskFailed < Error
    NO_MORE = 'The performer said no more.'
    private_constant :NO_MORE

    def initialize(detail = NO_MORE, reason: 'failed', retryable: nil)
      @said_retryable = retryable
      super(detail || NO_MORE, reason: reason || 'handler_failed', code: :failed_precondition, retryable: retryable || false, processed: :yes)
    end

    # @return [Hash] as it crosses the wire: `reason`, `message` and, where it was said, `retryable`
    def error
      said = { 'reason' => reason.to_s, 'message' => detail }
      @said_retryable.nil? ? said : said.merge('retryable' => @said_retryable)
    end
  end

  # The task was cancelled, and the performer stopped it.
  class TaskCancelled < Error
    def initialize(detail = 'The task was cancelled.')
      super(detail, reason: :task_cancelled, code: :failed_precondition, processed: :yes)
    end
  end

  # The deadline passed before the performer answered. It may have done its work all the same.
  class TaskExpired < Error
    def initialize(detail = 'The deadline passed before the performer answered.')
      super(detail, reason: :deadline_exceeded, code: :out_of_range, retryable: true, processed: :maybe)
    end
  end

  # How errors are made, from what the broker said and of the client's own.
  module Errors
    CLASSES = {
      invalid_argument: InvalidArgument, failed_precondition: FailedPrecondition, out_of_range: OutOfRange,
      unauthenticated: Unauthenticated, permission_denied: PermissionDenied, not_found: NotFound,
      already_exists: AlreadyExists, resource_exhausted: ResourceExhausted, unavailable: Unavailable, data_loss: DataLoss,
      internal: Internal
    }.freeze

    # What happens only inside a client: never on the wire. Reason → code, retryable, what to do.
    CLIENT = {
      invalid_argument: [:invalid_argument, false, 'An argument does not have the shape that this call needs.'],
      resource_exhausted: [
        :resource_exhausted, true, 'Too much waits to be stored. Call session.wait_ready before you send more.'
      ],
      connection_failed: [:unavailable, true, 'The broker cannot be reached.'],
      broker_untrusted: [
        :unauthenticated, true,
        "The broker's certificate cannot be verified. Give the CA that signed it as `ca:`, and the name that it is for in `url:`."
      ],
      certificate_refused: [
        :unauthenticated, true, 'The TLS handshake failed because of the certificate of this agent. Give one that the broker trusts.'
      ],
      unreadable: [:internal, false, 'The broker sent what this version of the SDK cannot read.'],
      connection_refused: [:unavailable, false, 'The broker closed the connection for good.'],
      superseded: [
        :failed_precondition, false, 'A newer connection of the same agent took over. Run one process for each agent.'
      ],
      agent_closed: [:failed_precondition, false, 'The agent was closed by this program.'],
      agent_draining: [:unavailable, true, 'The agent is draining: it takes nothing new.'],
      client_failed: [:internal, false, 'The SDK failed, and the agent was closed. This is a bug: please report it.'],
      journal_failed: [:unavailable, true, 'The journal cannot be read or written. Its folder must exist, and have room.'],
      journal_damaged: [
        :failed_precondition, false,
        'The journal has a line that cannot be read. Restore the file, or move it away and go on as without a journal.'
      ],
      journal_mismatch: [
        :failed_precondition, false, 'The journal is that of another agent. Give each agent a journal of its own.'
      ],
      renewal_failed: [
        :unavailable, true,
        'The new certificate cannot be used or written. The folder of `certificate:` and `key:` must have room, and be writable.'
      ],
      session_expired: [
        :failed_precondition, false, 'The session had no work for too long and expired. Open a new one.'
      ],
      session_lost: [
        :failed_precondition, false,
        'Broker and client do not agree on what was sent; the session ended so that nothing is lost silently. Open a new one.'
      ]
    }.freeze

    module_function

    # An error of the client's own making.
    def client(reason, detail = nil)
      code, retryable, usual = CLIENT.fetch(reason)
      CLASSES.fetch(code).new(detail || usual, reason: reason, code: code, retryable: retryable)
    end

    # An error by a reason of the protocol's table, or one unknown to this version.
    def wire(reason, detail = nil)
      entry = Protocol::Errors[reason]
      return Internal.new(detail || reason.to_s, reason: reason) if entry.nil?

      make(entry.code, detail || entry.detail, reason, entry.retryable, entry.processed)
    end

    # An error as ERROR's `data` or problem+json says it.
    # @param problem [Hash] with `code`, `reason`, `detail`, `retryable`; `message` is what only this occurrence knows
    def from(problem)
      said = problem['message']
      said = said.is_a?(String) && !said.empty? ? " (#{said})" : ''
      make(
        problem['code'].to_sym, "#{problem['detail']}#{said}", problem['reason'], problem['retryable'], problem['processed'] || :no
      )
    end

    # An error as an answer says it that is none of success: problem+json, or at least a status.
    # @param doubt [String, nil] what to look at where it says no more
    def refusal(status, body, doubt = nil)
      problem = JSON.parse(body)
      raise KeyError, 'reason' unless problem.is_a?(Hash)

      said = %w[code reason detail].to_h { |name| [name, problem.fetch(name).to_s] }
      from(said.merge(problem.slice('processed', 'message')).merge('retryable' => problem['retryable'] == true))
    rescue JSON::ParserError, KeyError, EncodingError
      retryable = status >= 500 || [408, 429].include?(status)
      detail = ["The broker answered HTTP #{status}.", doubt].compact.join(' ')
      Unavailable.new(detail, reason: :connection_failed, code: :unavailable, retryable: retryable)
    end

    def make(code, detail, reason, retryable, processed)
      type = CLASSES.fetch(code, Error)
      type.new(detail, reason: reason, code: code, retryable: retryable, processed: processed)
    end
    private_class_method :make
  end
end
