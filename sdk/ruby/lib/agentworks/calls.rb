# frozen_string_literal: true

require_relative 'deferred'
require_relative 'error'
require_relative 'protocol/codec'

module Agentworks
  # Questions to the broker that are no session's: asked over the connection, answered by `in_reply_to`, asked again after a
  # reconnect. They change nothing when repeated. Everything here happens with the lock held.
  class Calls
    Call = Struct.new(:line, :answer)
    private_constant :Call

    # @param send_line [#call]
    def initialize(lock, mint, &send_line)
      @lock = lock
      @mint = mint
      @send_line = send_line
      @open = {}
      @failed = nil
    end

    # Asks, and waits for the answer.
    # @return [Hash] the broker's envelope
    # @raise [Error] the broker's refusal, or why the agent ended
    def ask(type, data)
      raise @failed.dup if @failed

      id = @mint.call
      call = Call.new(Protocol::Codec.encode('type' => type, 'id' => id, 'data' => data), Deferred.new(@lock))
      @open[id] = call
      @send_line.call(call.line)
      call.answer.wait
    end

    # @return [Array<String>] what is asked and not answered: a new connection asks it again
    def lines
      @open.each_value.map(&:line)
    end

    # @return [Boolean] whether the envelope answers a question
    def answered?(envelope)
      call = @open.delete(envelope['in_reply_to'])
      return false if call.nil?

      envelope['type'] == 'ERROR' ? call.answer.reject(Errors.from(envelope['data'])) : call.answer.resolve(envelope)
      true
    end

    # No answer will come any more, to anything.
    def fail_with(error)
      @failed = error
      @open.each_value { |call| call.answer.reject(error) }
      @open.clear
    end
  end
end
