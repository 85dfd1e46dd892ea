# frozen_string_literal: true

require_relative 'calls'
require_relative 'connection'
require_relative 'content'
require_relative 'deferred'
require_relative 'direct'
require_relative 'error'
require_relative 'event_loop'
require_relative 'handlers'
require_relative 'mint'
require_relative 'offers'
require_relative 'outlet'
require_relative 'protocol/codec'
require_relative 'sessions'
require_relative 'statuses'
require_relative 'version'

module Agentworks
  # What an agent is made with. `accept` judges an Offer, or is nil: every offer is accepted. `renewal` is nil where the certificate stays as it
  # is.
  AgentSetup = Struct.new(
    :uri, :credentials, :timing, :reconnect, :direct, :recover, :accept, :journal, :random, :renewal, keyword_init: true
  )

  # An agent behind what the application holds: its connection, and what it and its sessions say and hear by that. Lines are gathered into
  # frames here, and envelopes handed out. Which sessions there are is in Sessions; what a session or a task means, elsewhere. Everything
  # happens with the lock held.
  class LiveAgent
    FAILED_TO_JUDGE = 'The agent failed to judge the offer.'
    # As much of the message of an exception as is told.
    FAULT_CHARS_MAX = 8192
    private_constant :FAILED_TO_JUDGE, :FAULT_CHARS_MAX

    attr_reader :lock, :loop, :handlers, :outlet, :mint, :random
    # @return [Journal, nil]
    attr_reader :journal
    # @return [String, nil] this agent's id and its account, as its certificate says; nil before the first REGISTER_ACK
    attr_reader :id, :account
    # @return [Deferred] resolved at the first REGISTER_ACK, or rejected when there will be none
    attr_reader :registered
    # @return [Sessions]
    attr_reader :sessions
    attr_reader :statuses
    # @return [Deferred] resolved when it was closed, rejected when it ended in another way
    attr_reader :ended_for_good

    def initialize(setup)
      @setup = setup
      @lock = Mutex.new
      @random = setup.random
      @journal = setup.journal
      @journal&.on_failure { |error| stop(error) }
      # Offers that somebody judges at the moment.
      @judging = {}
      @draining = false
      @over = nil
      @lock.synchronize { start }
    end

    # Why the latest attempt to connect failed.
    def failure
      @connection.failure
    end

    # --- what the application does

    def handle(capability, handler, options)
      raise @over.dup if @over

      @handlers.add(capability, handler, options)
      @calls.ask('CAPABILITY_ANNOUNCE', 'capabilities' => @handlers.capabilities)
    end

    def open(terms, wait_ms, timeout)
      Offers.open(self, terms, wait_ms, timeout).facade
    end

    # @return [Array<Hash>] one page, and the cursor of the next
    def list_agents(capability, cursor)
      query = { 'limit' => 50, 'capability' => capability, 'cursor' => cursor }.compact
      answer = @calls.ask('AGENT_QUERY', query)
      return answer['data'] if answer['type'] == 'AGENT_LIST'

      raise Errors.client(:unreadable, "AGENT_QUERY was answered by #{answer['type']}.")
    end

    # Nothing begins any more. Who waits for a peer to accept hears of it at once: the protocol has no way to take the offer back, and
    # a session that is accepted all the same is closed by that.
    # @return [Boolean] whether everything that runs ended in time
    def drain_handlers(timeout)
      @draining = true
      @sessions.to_a.each { |session| session.abandon(refusal) if session.offering? }
      @pauses.notify
      @handlers.drain(timeout)
    end

    # Begins to close every session, but for those that nobody has accepted: none waits for another.
    # @return [Array<Session>]
    def close_sessions(reason)
      open = @sessions.to_a.reject(&:offering?)
      open.each { |session| session.close(reason) unless session.recovering? }.map(&:facade)
    end

    # What was taken last is acknowledged now: a session that waits for nothing else ends.
    def settle
      @outlet.settle(@sessions.to_a)
    end

    def close
      stop(Errors.client(:agent_closed))
    end

    # Waits with the lock given away, as long as a session may begin.
    def pause(seconds)
      @pauses.until(seconds) { refusal }
      raise refusal if refusal
    end

    # --- what its sessions ask of it

    def tell(type, **more)
      @statuses.say(type, **more)
    end

    def opened(session)
      @sessions.opened(session)
    end

    def ended(session, ending)
      @outlet.forget(session)
      @sessions.ended(session, ending)
    end

    # Why no session may begin now.
    # @return [Error, nil]
    def refusal
      return @over.dup if @over

      Errors.client(:agent_draining) if @draining
    end

    # --- what the connection tells

    # The first frames of a connection: who this is, what is open, what was asked.
    def opened_connection
      @outlet.drop_lines
      data = { 'capabilities' => @handlers.capabilities, 'sdk' => SDK_NAME }
      lines = [Protocol::Codec.encode('type' => 'REGISTER', 'id' => @mint.call, 'data' => data), *@calls.lines]
      @sessions.each do |session|
        next if session.route

        session.connected
        lines.concat(session.lines)
      end
      Protocol::Codec.pack_frames(lines)
    end

    def frame(envelopes)
      envelopes.each do |envelope|
        break if @over

        if envelope.is_a?(Hash) then take(envelope)
        else tell(:fault, error: Errors.client(:unreadable, "The broker sent #{envelope.reason}."))
        end
      end
    end

    def stop(error)
      return if @over

      @over = error
      # First: what the ends of the sessions let go of is neither taken nor finished.
      @journal&.close
      @setup.renewal&.stop
      @connection.stop(Connection::NORMAL_CLOSURE, 'closed')
      tell(:superseded) if error.reason == :superseded
      @registered.reject(error)
      @pauses.notify
      @sessions.stop(error)
      @calls.fail_with(error)
      @sessions.incoming.finish
      error.reason == :agent_closed ? @ended_for_good.resolve : @ended_for_good.reject(error)
      @statuses.finish
      @loop.stop
    end

    # --- what its renewal tells

    # The broker ends a connection with its certificate: each is made anew now, with the next one, and sessions resume.
    def renewed(not_after)
      tell(:certificate_renewed, not_after: not_after)
      reason = 'certificate renewed'
      @connection.renew(reason)
      @sessions.renew(reason)
    end

    def renewal_failed(error)
      tell(:fault, error: error)
    end

    # What the agent's own connection tells.
    Listener = Struct.new(:agent) do
      def opened
        agent.opened_connection
      end

      def frame(envelopes)
        agent.frame(envelopes)
      end

      def lost(ending, will_reconnect)
        agent.tell(:disconnected, code: ending.code, reason: ending.reason, will_reconnect: will_reconnect)
      end

      def retrying(attempt, delay_ms)
        agent.tell(:reconnecting, attempt: attempt, delay_ms: delay_ms)
      end

      def stopped(error)
        agent.stop(error)
      end
    end
    private_constant :Listener

    private

    def start
      @registered = Deferred.new(@lock)
      @ended_for_good = Deferred.new(@lock)
      @pauses = Waiters.new(@lock)
      @statuses = Statuses.new(@lock)
      @mint = Mint.new
      @loop = EventLoop.new(@lock, 'agentworks', turn: -> { @outlet.flush }, failed: ->(error) { fail_with(error) })
      @handlers = Handlers.new(@lock, @loop)
      @outlet = Outlet.new(@loop) { @connection }
      @calls = Calls.new(@lock, @mint) { |line| @outlet.line(line) }
      @connection_setup = ConnectionSetup.new(
        credentials: @setup.credentials, timing: @setup.timing, reconnect: @setup.reconnect, random: @random, lock: @lock, loop: @loop
      )
      @sessions = Sessions.new(self) { |session| Direct.new(self, session, @setup.uri, @connection_setup) if @setup.direct }
      @connection = Connection.new(@setup.uri, @connection_setup, Listener.new(self))
      @connection.start
      watch_stalls
    end

    def watch_stalls
      @loop.after(@setup.timing.ack_stall / 4.0) do
        now = Clock.now
        @sessions.to_a.each { |session| session.watch_stall(now, @setup.timing) }
        watch_stalls
      end
    end

    # What nobody has foreseen must not leave anybody waiting.
    def fail_with(error)
      stop(Errors.client(:client_failed, "#{Errors::CLIENT[:client_failed].last} (#{error.class}: #{error.message}, #{error.backtrace&.first})"))
    end

    # --- in

    def take(envelope)
      session = @sessions[envelope['session_id']]
      return give(session, envelope) if session && envelope['type'] != 'SESSION_INIT'

      case envelope['type']
      when 'REGISTER_ACK' then welcome(envelope['data'])
      when 'SESSION_INIT' then judge(envelope) if session.nil?
      when 'GOAWAY'
        reason = envelope['data']['reason']
        tell(:goaway, reason: reason)
        @connection.renew(reason)
      when 'ERROR' then fault(envelope)
      else @calls.answered?(envelope)
      end
    end

    # What cannot be taken must not go unseen, and would come again with every new attachment: the session is what ends by it.
    def give(session, envelope)
      session.receive(envelope)
    rescue StandardError => e
      why = "The session ended, for an envelope of it could not be taken (#{e.class}: #{e.message}, #{e.backtrace&.first})."
      session.finish(SessionEnd.failed(Errors.client(:unreadable, why)))
    end

    def fault(envelope)
      return if @calls.answered?(envelope)

      @outlet.slow_down if envelope['data']['reason'] == 'rate_limited'
      tell(:fault, error: Errors.from(envelope['data']))
    end

    def welcome(data)
      mismatch = @journal&.claim(data['agent'], data['account'])
      return stop(mismatch) if mismatch

      @id = data['agent']
      @account = data['account']
      @connection.settled
      @registered.resolve
      @sessions.recover(data['sessions']) if @setup.recover && !@draining
      tell(:connected, agent: @id)
      @setup.renewal&.start(@id, @lock, @loop, self)
    end

    def judge(offer)
      return answer(offer, 'The agent is draining.') if @draining
      return answer(offer, true) if @setup.accept.nil?

      session_id = offer['session_id']
      return if @judging.key?(session_id)

      # What the application decides may take its time: the loop does not wait for it.
      @judging[session_id] = Thread.new do
        verdict = FAILED_TO_JUDGE
        verdict = verdict_on(offer)
      ensure
        # Also where the application ended the thread.
        @lock.synchronize { judged(offer, verdict) }
      end
      @judging[session_id].name = "agentworks accept #{session_id}"
    end

    def judged(offer, verdict)
      @judging.delete(offer['session_id'])
      answer(offer, @draining ? 'The agent is draining.' : verdict) unless @over || @sessions[offer['session_id']]
    end

    def verdict_on(offer)
      data = offer['data']
      @setup.accept.call(
        Offer.new(id: offer['session_id'], peer: offer['from'], metadata: data['metadata'], capabilities: data['capabilities'])
      )
    # Also `exit`, by which any peer could end this program.
    rescue Exception => e # rubocop:disable Lint/RescueException
      error = Errors.client(:invalid_argument, "`accept:` raised #{e.class}: #{Content.words_of(e, FAULT_CHARS_MAX)}.")
      @lock.synchronize { tell(:fault, error: error) }
      FAILED_TO_JUDGE
    end

    def answer(offer, verdict)
      answered = Offers.answer(offer, verdict, @mint)
      answered.is_a?(Hash) ? @outlet.line(Protocol::Codec.encode(answered)) : @sessions.begin_session(answered)
    end
  end
end
