# frozen_string_literal: true

require_relative 'clock'
require_relative 'content'
require_relative 'error'
require_relative 'requests'

module Agentworks
  # A session with one peer: tasks, messages, and receipts of both. Its methods may be called from any thread, and from fibers of a
  # reactor. They take the agent's lock; what is behind them runs with it held.
  class Session
    # @api private
    def initialize(live, lock)
      @live = live
      @lock = lock
    end

    # @return [String] a UUIDv7
    def id
      @live.id
    end

    # @return [String] the other agent; proven by its certificate
    def peer
      @live.peer
    end

    # @return [Array<Hash>] what the peer can do, as it said when the session was accepted: `name`, `version` …
    def capabilities
      @live.capabilities
    end

    # True for a session that an earlier life of this program had, and that goes on here; then `capabilities` is empty.
    def recovered?
      @live.recovered?
    end

    # @return [Array<String>] after recovery: the ids of tasks that the earlier life asked for and that are open. `request` with one of
    #   them waits for it
    def requested
      @live.requested
    end

    # @return [Integer] how many messages `send_message` has queued in this session: with a journal, in all lives of this program. Each of them
    #   arrives, so a program that numbers its messages goes on after this many
    def sent
      @live.sent
    end

    # Asks the peer for a task. Does not wait.
    # @param input anything that JSON can say
    # @param deadline_ms [Numeric, nil] the task must be done in this time, in milliseconds (at most 24 hours): else `result` raises TaskExpired
    # @param task_id [String, nil] a UUIDv7 of your own: asking again with it never runs the task twice, not even after a crash of this program
    # @return [Task]
    # @raise [Error] :invalid_argument, :envelope_too_large, :too_deep, :too_many_tasks (128 are open), :resource_exhausted, or why the
    #   session ended
    def request(capability, input = nil, deadline_ms: nil, task_id: nil)
      text = Requests.request_text(capability, input, task_id, deadline_ms)
      @lock.synchronize { @live.request(text, task_id) }
    end

    # Sends a message. It is queued; wait for `stored` or `delivered` of its receipt where that matters. (Not `send`: that is how Ruby calls
    # a method by its name, and gems rely on it.)
    # @param content anything that JSON can say
    # @return [Receipt]
    # @raise [Error] :invalid_argument, :envelope_too_large, :too_deep, :resource_exhausted (8192 messages or 64 MiB wait to be
    #   stored), or why the session ended
    def send_message(content)
      data = "{\"content\":#{Content.json_of(content)}}"
      @lock.synchronize { @live.say('MESSAGE', data) }
    end

    # Waits until less than a window (512 messages, 4 MiB) waits to be stored: call it between messages in a loop.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    def wait_ready(timeout: nil)
      @lock.synchronize { @live.wait_ready(timeout) }
      self
    end

    # Messages in order, each once. Taking one acknowledges it, so a slow reader slows the sender down, and so does having no reader.
    # Ends when the session does; raises when that was not by `close`.
    # @return [Channel] of Message
    def messages
      @live.messages.channel
    end

    # Asks the broker to hold back what comes (advice, not a guarantee).
    def pause
      @lock.synchronize { @live.pause }
      self
    end

    # Lets it come again.
    def resume
      @lock.synchronize { @live.resume }
      self
    end

    # Says that this side is done; what was sent before still arrives. Running handlers are cancelled. Messages that nobody reads are dropped;
    # readers may read on, and the session ends when they have read everything or left their block: who reads by `next` reads on to its
    # StopIteration. Waits until all that this side has said is stored, whatever the peer does.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    def close(reason = 'closed', timeout: nil)
      left = Clock.countdown(timeout)
      receipt = @lock.synchronize { @live.wait_for_streams(left.call) && @live.close(reason) }
      receipt ? receipt.stored(timeout: left.call) : @lock.synchronize { @live.wait_stored(left.call) }
      self
    rescue Error => e
      # The peer's close was faster.
      raise unless e.reason == :session_closed

      self
    end

    # Whether the session has ended.
    def closed?
      @live.ended?
    end

    # Waits until the session has ended.
    # @return [SessionEnd]
    def wait_closed(timeout: nil)
      @lock.synchronize { @live.ending.wait(timeout) }
    end

    def inspect
      "#<#{self.class} #{id} with #{peer}>"
    end
  end
end
