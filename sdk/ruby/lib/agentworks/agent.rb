# frozen_string_literal: true

require_relative 'clock'
require_relative 'error'
require_relative 'offers'

module Agentworks
  # An agent that other programs know: one with another agent's id and account in its certificate. What it can do is announced
  # (`capabilities` are hashes with `name`, `version` …).
  ListedAgent = Struct.new(:agent, :connected, :capabilities, keyword_init: true) do
    alias_method :connected?, :connected
  end

  # A connected agent. Its methods may be called from any thread, and from fibers of a reactor. They take the agent's lock; what is behind
  # them runs with it held.
  class Agent
    # @api private
    def initialize(live)
      @live = live
      @lock = live.lock
    end

    # @return [String] this agent's id, as its certificate says
    def id
      @live.id
    end

    # @return [String] its account
    def account
      @live.account
    end

    # Performs tasks that ask for `capability`, and announces it. Waits until the broker has the announcement. Handling the same name again
    # replaces the handler.
    #
    # The block is called in a thread of its own with the input and a Performance; what it returns is the result (JSON), what it raises
    # fails the task: a TaskFailed as it is, anything else, `exit` included, as reason `handler_failed` with its message, never with its stack.
    # @param max_concurrency [Integer, nil] 1–10000: so many run at once, further tasks wait for their turn. Without it at most 128 do
    # @param options also announced: `version:`, `description:`, `input_schema:`, `output_schema:`
    # @raise [InvalidArgument] the announcement does not fit
    def handle(capability, max_concurrency: nil, **options, &handler)
      raise Errors.client(:invalid_argument, 'handle needs a block: what performs the task.') if handler.nil?

      @lock.synchronize { @live.handle(capability, handler, options.merge(max_concurrency: max_concurrency)) }
      self
    end

    # Opens a session, with one agent or with whoever announced a capability (the broker picks one that is connected and has the most room).
    # Waits until the peer has accepted it; `session.peer` says who it is. With a block: gives it the session, closes that at the end, and
    # returns what the block did.
    # @param metadata any JSON, for the peer's `accept:` to judge
    # @param wait_ms [Numeric] how long the offer waits for the peer's answer, in milliseconds, also while the peer is not connected; at most a
    #   day. With a capability: how long to try again while nobody has room. 0: reject at once when nobody is there
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised, and nothing is left open
    # @raise [Error] :agent_offline, :agent_unknown, :capability_unknown, :capability_busy, :offer_rejected, :offer_expired,
    #   :too_many_offers, :too_many_sessions, :self_session, :agent_draining, :invalid_argument, :timed_out
    def open(peer = nil, capability: nil, metadata: nil, wait_ms: 0, timeout: nil)
      terms = Offers.terms(peer, capability, metadata, wait_ms)
      session = @lock.synchronize { @live.open(terms, wait_ms, timeout) }
      return session unless block_given?

      begin
        yield session
      ensure
        session.close
      end
    end

    # @return [Channel] of Session: those that peers opened, or an earlier life of this agent. Each goes to one reader; handlers work whether or
    #   not anybody reads
    def sessions
      @live.sessions.incoming
    end

    # @return [Array<ListedAgent>] all agents of the account, or those that announced `capability`
    def agents(capability: nil)
      found = []
      cursor = nil
      loop do
        page = @lock.synchronize { @live.list_agents(capability, cursor) }
        found.concat(page['agents'].map { |one| ListedAgent.new(**one.slice('agent', 'connected', 'capabilities').transform_keys(&:to_sym)) })
        cursor = page['next']
        return found if cursor.nil?
      end
    end

    # @return [StatusReader] of Status: what happens from now on
    def status
      @lock.synchronize { @live.statuses.read }
    end

    # Waits until the agent ends: that it was closed, or a failure that is final, which it raises. For programs that only handle tasks.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    def join(timeout: nil)
      @lock.synchronize { @live.ended_for_good.wait(timeout) }
      self
    end

    # The same, for programs that people and supervisors end: Ctrl-C and SIGTERM end the wait without an error. Then drain, or let the block of
    # `connect` do it.
    def serve
      join
    rescue SignalException
      self
    end

    # Leaves in good order: refuses what is new, waits for running handlers, closes every session, waits until everything sent is stored, then
    # closes the connection. Waits for handlers and the broker as long as it takes, and for no peer: an `open` that waits for one raises
    # agent_draining. The broker keeps its offer until that is answered or expires; a session that comes of it after the drain is found by the
    # agent's next life (`recovered?`).
    # @param timeout [Numeric, nil] seconds, after which what is still open is closed at once
    # @return [Boolean] whether everything ended in good order
    def drain(timeout: nil)
      left = Clock.countdown(timeout)
      orderly = @lock.synchronize { @live.drain_handlers(left.call) }
      @lock.synchronize { @live.close_sessions('drained') }.each do |session|
        orderly = false unless close_session(session, left.call)
      end
      @lock.synchronize { @live.settle } if orderly
      close
      orderly
    end

    # Leaves at once: everything pending raises agent_closed.
    def close
      @lock.synchronize { @live.close }
      @live.loop.join
      self
    end

    def inspect
      "#<#{self.class} #{id}>"
    end

    private

    def close_session(session, timeout)
      session.close('drained', timeout: timeout)
      true
    rescue TimedOut
      false
    rescue Error
      true
    end
  end
end
