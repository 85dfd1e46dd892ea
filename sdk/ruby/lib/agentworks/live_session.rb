# frozen_string_literal: true

require_relative 'deferred'
require_relative 'error'
require_relative 'inbox'
require_relative 'messages'
require_relative 'outgoing'
require_relative 'performer'
require_relative 'protocol/codec'
require_relative 'pulse'
require_relative 'requests'
require_relative 'session'
require_relative 'session_close'
require_relative 'session_end'
require_relative 'session_journal'

module Agentworks
  # A session behind what the application holds: waits, queues and handlers around the core's client half. It decides when something counts
  # as taken; when and where its lines are sent is the agent's business. No sockets here; everything happens with the lock held.
  class LiveSession
    # @return [Session] what the application holds
    attr_reader :facade
    # @return [Array<Hash>] what the peer can do
    attr_reader :capabilities
    # @return [Connection, nil] a connection of its own, once it has one: its lines go there only
    attr_accessor :route
    # @return [Deferred] settled when it is accepted, or will not be
    attr_reader :opening
    # @return [Error, nil] why it will not be
    attr_reader :refusal
    # @return [Deferred] resolved with the SessionEnd
    attr_reader :ending
    # @return [Array<String>]
    attr_reader :requested
    # @return [Messages]
    attr_reader :messages

    # @param agent [LiveAgent]
    # @param memory [SessionMemory, nil] what the journal remembers of it, where `core` was recalled
    def initialize(core, agent, memory = nil)
      @core = core
      @agent = agent
      # Whether this program did not open it: a peer did, or an earlier life of this agent.
      @offered = core.state != :offering
      @recovered = core.state == :recovering || !memory.nil?
      @journal = agent.journal && SessionJournal.new(agent.journal, core.session_id)
      @capabilities = []
      @requested = []
      # Work through this `seq` may have been taken in an earlier life.
      @sent_before = 0
      lock = agent.lock
      @opening = Deferred.new(lock)
      @ending = Deferred.new(lock)
      @facade = Session.new(self, lock)
      @inbox = Inbox.new(note: @journal && ->(slot, through) { @journal.taken(slot.seq, through, slot.envelope) }) { |seq| take(seq) }
      @messages = Messages.new(lock, @inbox)
      @outgoing = Outgoing.new(core, lock, agent.mint, @journal) { wake }
      @close = SessionClose.new(@outgoing, @inbox)
      @requests = Requests.new(lock, agent.mint) { |*said, **more| @outgoing.say(*said, **more) }
      @performer = Performer.new(lock, self, agent.handlers, @inbox)
      @hold = Hold.new(agent.loop)
      @pausing = Pausing.new
      @answers = Stall.new
      @deliveries = Stall.new
      @end = nil
      @abandoned = false
      # What the journal remembers of it, until the broker has agreed.
      @memory = memory
      recall(memory) if memory
    end

    def id
      @core.session_id
    end

    def peer
      @core.peer
    end

    def offered?
      @offered
    end

    def recovered?
      @recovered
    end

    # --- what the application does

    def request(text, task_id)
      @requests.ask(text, task_id, @performer.size)
    end

    def say(type, data, bounded: true)
      @outgoing.say(type, data, bounded: bounded)
    end

    def wait_ready(timeout)
      @outgoing.wait_ready(timeout)
    end

    def pause
      @pausing.want(true)
      wake
    end

    def resume
      @pausing.want(false)
      wake
    end

    # Nothing can be queued, and nothing be closed, before it is known where the streams of an earlier life stand.
    # @return [true]
    def wait_for_streams(timeout)
      @opening.wait(timeout) if recovering?
      true
    end

    def recovering?
      @core.state == :recovering
    end

    # Whether this side offered it, and nobody has answered.
    def offering?
      @core.state == :offering
    end

    # Begins to close.
    # @return [Receipt, nil] of its SESSION_CLOSE; nil where there is none, because the session ended or the peer closed before
    def close(reason)
      return @close.receipt if @close.said? || @end

      @close.say(reason)
      @performer.abandon(Errors.wire(:session_closed))
      @messages.unwanted
      @close.receipt
    end

    # Waits until all that this side has said is stored.
    def wait_stored(timeout)
      @outgoing.wait_stored(timeout)
    end

    def ended?
      !@end.nil?
    end

    # --- what the agent does

    # The one who opened it does not wait any more: it is closed as soon as it is accepted.
    def abandon(error)
      @abandoned = true
      refuse(error)
    end

    # A connection is up: what comes next is INIT, ACCEPT or RESUME.
    def connected
      @hold.release
      @core.connected
    end

    # Whether a receipt waits for company.
    def owes_receipt?
      @core.owes_receipt?
    end

    # Whether the journal has everything: before anything leaves, connected or not. False: nothing may leave.
    def kept?
      @journal.nil? || @journal.commit
    end

    # @return [Integer] messages that were queued, in all lives that the journal knows
    def sent
      @outgoing.messages
    end

    # What is to be sent now; with :later, a receipt waits for company.
    def lines(receipts = :now)
      return [] if @hold.held? || !kept?

      lines = @core.lines(receipts)
      wake if @core.full_frame?
      type = @core.state == :ready ? @pausing.take : nil
      lines << Protocol::Codec.encode('type' => type, 'session_id' => id) if type
      lines
    end

    def receive(envelope)
      @core.receive(envelope).each { |event| hear(event, envelope) }
      wake unless @end
    end

    # L15, L28: attaches again when what is on its way has had no answer, or what is stored is not delivered, for too long.
    # @param timing [Timing]
    def watch_stall(now, timing)
      # Both are looked at each time: they keep the time of what they saw last.
      oldest = @core.oldest_in_flight
      asked = @core.state != :ready || oldest ? [@core.state, oldest] : nil
      unanswered = @answers.stalled?(asked, now, timing.ack_stall)
      forgotten = @deliveries.stalled?(@core.awaited, now, timing.delivery_stall)
      return unless unanswered || forgotten

      connected
      wake
    end

    # The agent is over. What this side had closed ended as it was closed.
    def stop(error)
      finish(@close.done? ? SessionEnd.new(@close.reason, nil) : SessionEnd.failed(error))
    end

    # Ends it on this side. Nothing is said to the broker.
    # @param ending [SessionEnd]
    def finish(ending)
      return if @end

      @end = ending
      @hold.release
      error = ending.error || Errors.wire(:session_closed)
      refuse(error)
      @performer.abandon(error)
      @requests.fail_with(error)
      @outgoing.fail_with(error)
      @messages.finish(ending.error&.reason == :agent_closed ? nil : ending.error)
      @agent.ended(self, ending)
      @ending.resolve(ending)
    end

    private

    def recall(memory)
      @sent_before = memory.redelivered
      @inbox.recall(memory.ahead.keys)
      @outgoing.messages = memory.messages
      @requested = memory.requested.keys
      return if memory.closing.nil?

      @close.recall(memory.closing['reason'])
      @messages.unwanted if memory.closing['own']
    end

    # The broker goes on from what was remembered: so does the application, and what it had begun and not finished first.
    def recalled
      begun = @memory.tasks.values
      @memory = nil
      @agent.opened(self)
      @opening.resolve
      @performer.recall(begun)
    end

    def refuse(error)
      return if @opening.settled?

      @refusal = error
      @opening.reject(error)
    end

    def take(seq)
      @core.take(seq)
      wake
    end

    # There may be something to send. What only a word of the broker's would bring about is not asked for before that has come.
    def wake
      if @core.waiting_for_broker? && !@pausing.unsaid?
        @agent.outlet.owe(self) if @core.owes_receipt?
      else
        @agent.outlet.wake(self)
      end
    end

    # --- what the broker says

    def hear(event, envelope)
      case event[:kind]
      when :work then work(event[:envelope])
      when :receipts
        @journal&.stored(event[:stored])
        @outgoing.settle(event[:stored], event[:delivered])
        @close.settle
      when :accepted then accepted(event[:capabilities])
      when :resumed
        @hold.healed
        @route&.settled
        @pausing.attached
        recalled if @memory
      when :unheard then @requests.ask_again(event[:requests])
      when :recovered then recovered(event)
      when :flow then @agent.tell(event[:paused] ? :paused : :resumed, session: @facade)
      when :fault then fault(event[:fault])
      when :ended
        @journal&.ended
        finish(SessionEnd.by(envelope, @close.reason))
      end
    end

    def accepted(capabilities)
      @hold.healed
      @capabilities = capabilities
      @journal&.opened(@core.remembered, 0, [])
      return close('abandoned') if @abandoned

      @agent.opened(self)
      @opening.resolve
    end

    def recovered(event)
      @hold.healed
      @recovered = true
      @sent_before = event[:sent]
      @requested = event[:requested]
      @outgoing.shut(Errors.wire(:session_closed)) if event[:closing]
      @journal&.opened(@core.remembered, event[:sent], event[:requested])
      @agent.opened(self)
      @opening.resolve
    end

    def fault(fault)
      @hold.hold(@agent.random.call) { wake } if %w[relay_lost too_many_lookups].include?(fault['data']['reason'])
      refused = @requests.refused(fault)
      return @journal&.refused(refused) if refused

      @agent.tell(:fault, session: @facade, error: Errors.from(fault['data']))
    end

    def work(envelope)
      seq = envelope['seq']
      return if @inbox.had_before?(seq)

      redelivered = seq <= @sent_before
      return @messages.arrived(envelope, redelivered) if envelope['type'] == 'MESSAGE'

      slot = @inbox.arrived(seq, envelope)
      data = envelope['data']
      case envelope['type']
      when 'TASK_REQUEST' then @performer.request(envelope, slot, redelivered)
      when 'SESSION_CLOSE' then peer_closes(data['reason'] || 'closed', slot)
      when 'TASK_CANCEL' then @performer.cancel(data, slot)
      when 'TASK_PROGRESS' then @requests.progress(data) if @inbox.done(slot)
      else @requests.response(data) if @inbox.done(slot)
      end
    end

    def peer_closes(reason, slot)
      @close.hear(reason, slot)
      refusal = Errors.wire(:session_closed)
      @performer.abandon(refusal)
      @requests.fail_with(refusal)
      @messages.finish
      @close.settle
    end
  end
end
