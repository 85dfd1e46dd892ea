# frozen_string_literal: true

require 'json'
require_relative 'client_events'
require_relative 'client_faults'
require_relative 'client_incoming'
require_relative 'client_outgoing'
require_relative 'codec'
require_relative 'envelope'
require_relative 'limits'

# The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O.
# It keeps what the broker has not acknowledged, and it acknowledges what the application has taken (not what merely arrived),
# so that a slow application slows its peer down. Here are the states and what moves between them; what is kept of the two streams
# is in client_outgoing.rb and client_incoming.rb.
module Agentworks
  module Protocol
    # One session of this agent. Its states and events: client_events.rb.
    class ClientSession
      # Opens a session: the first line it gives out is SESSION_INIT.
      # @param peer [String, nil] nil: the broker finds an agent for `capability`
      # @param mint [#call] gives a fresh UUIDv7
      # @param more [Hash] `metadata`, `capability` and `ttl_ms`, where there are any
      def self.offer(session_id, peer, mint, more = {})
        offer = { 'type' => 'SESSION_INIT', 'id' => mint.call, 'session_id' => session_id }
        offer['to'] = peer unless peer.nil?
        new(session_id, peer || '', :offering, mint, offer.merge('data' => more))
      end

      # Accepts an offer: the first line it gives out is SESSION_ACCEPT.
      # @param offer [Hash] the broker's SESSION_INIT
      def self.accept(offer, mint)
        session_id = offer['session_id']
        accept = { 'type' => 'SESSION_ACCEPT', 'id' => mint.call, 'session_id' => session_id, 'in_reply_to' => offer['id'] }
        new(session_id, offer['from'], :accepting, mint, accept)
      end

      # A session of an earlier life of this agent: the first line it gives out asks where its streams stand (A8).
      def self.recover(session_id, peer, mint)
        new(session_id, peer, :recovering, mint)
      end

      # A session of an earlier life that was remembered: the first line it gives out is SESSION_RESUME, from where both streams stood.
      # Raises when the lines are not those that follow `stored`.
      # @param remembered [Remembered]
      def self.recall(remembered, mint)
        new(remembered.session_id, remembered.peer, :resuming, mint).tap { |session| session.send(:recall, remembered) }
      end

      attr_reader :session_id, :state
      # Of a session that was opened by a capability: "" until it is accepted.
      attr_reader :peer
      # @return [String] the storage of the session; "" until it is accepted
      attr_reader :epoch

      def initialize(session_id, peer, state, mint, question = nil)
        @session_id = session_id
        @peer = peer
        @state = state
        @mint = mint
        # SESSION_INIT or SESSION_ACCEPT, as long as its answer is waited for.
        @opening = question
        @asked = false
        @epoch = ''
        @in = IncomingWork.new
        @out = OutgoingWork.new
        @paused = false
        # The id of the SESSION_RESUME that waits for its answer.
        @question = nil
      end
      private_class_method :new

      # @return [Remembered] what `recall` needs to go on from here
      def remembered
        Remembered.new(
          session_id: @session_id, peer: @peer, epoch: @epoch, taken: @in.taken, stored: @out.acked, lines: @out.waiting_lines.map(&:line),
          closing: closing?
        )
      end

      # @return [String, nil] the line that was queued last, while the broker has not stored it
      def newest_line
        @out.waiting_lines.last&.line
      end

      # @return [Integer] messages that the broker has not stored yet
      def backlog_messages
        @out.waiting
      end

      # @return [Integer] their bytes
      def backlog_bytes
        @out.bytes
      end

      # The broker asked to pause (advice; what binds is `limit`).
      def paused?
        @paused
      end

      # Oldest `seq` that is sent and not acknowledged, or nil: the caller watches it, and a state that is not :ready, for a stall (L15).
      def oldest_in_flight
        @out.sent > @out.acked ? @out.acked + 1 : nil
      end

      # Names what else this end waits for while it is attached, and how far that is; nil: nothing. The caller looks at L28: a peer may be
      # slow, but a broker that lost its memory may also have forgotten to forward, and finds out when it is asked.
      def awaited
        return nil unless @state == :ready

        done = @out.waiting.zero? && @out.delivered >= @out.acked
        done && !closing? ? nil : [@out.acked, @out.delivered, @in.taken]
      end

      # Queues one envelope. Never refuses: the caller bounds the backlog.
      # @param data [String] `data` as JSON text of the type's own shape: who had to measure it need not write it twice
      # @return [Integer] its `seq`
      def send_text(type, id, data, in_reply_to: nil, traceparent: nil)
        seq = @out.next
        more = +''
        more << ",\"in_reply_to\":#{JSON.generate(in_reply_to)}" if in_reply_to
        more << ",\"traceparent\":#{JSON.generate(traceparent)}" if traceparent
        @out.queue(
          type, "{\"type\":\"#{type}\",\"id\":\"#{id}\",\"session_id\":\"#{@session_id}\",\"seq\":#{seq}#{more},\"data\":#{data}}"
        )
        seq
      end

      # The application has taken everything through `seq`: it will be acknowledged with the next lines.
      def take(seq)
        @in.take(seq)
      end

      # A connection is up: what comes next is INIT, ACCEPT or RESUME.
      def connected
        @question = nil
        return if @state == :ended

        @state = :resuming if @state == :ready
        @asked = false
      end

      # Attach again on the same connection: frames were lost on the way, or acknowledgements stopped (A5).
      alias reattach connected

      # A receipt waits for company (B3): call `lines(:now)` within RECEIPT_DELAY_MS.
      def owes_receipt?
        @state == :ready && @in.owed.positive?
      end

      # Whether `lines(:later)` would give nothing, now: not before an envelope of the broker's, or another event, has come.
      def waiting_for_broker?
        case @state
        when :ended then true
        when :ready then @in.owed < Limits::RECEIPT_MESSAGES_MAX && @out.waiting_for_broker?
        else @asked
        end
      end

      # A full frame of work waits that need not wait for anything: call `lines` once more, for a frame of its own (B1).
      def full_frame?
        @state == :ready && @out.full_frame?
      end

      # The lines to send now, at most one frame of work. Call it after every event, and send what it gives.
      # @param receipts [:now, :later] later: a receipt goes only with work, or when it covers many messages
      def lines(receipts = :now)
        case @state
        when :ended then []
        when :ready then ready_lines(receipts)
        else
          return [] if @asked

          @asked = true
          [@opening.nil? ? resume_line : Codec.encode(@opening)]
        end
      end

      # One envelope of the broker's for this session.
      # @return [Array<Hash>] events
      def receive(envelope)
        return [] if @state == :ended
        # Before it is known where the stream stands nothing of it can be taken: what comes too early comes again (N3, A8).
        return %i[ready resuming].include?(@state) ? receive_work(envelope) : [] if Envelope.work?(envelope)

        case envelope['type']
        when 'MESSAGE_ACK' then receipts(envelope['ack'], envelope.dig('data', 'delivered') || 0, envelope['limit'] || 0)
        when 'SESSION_ACCEPT' then accepted(envelope)
        when 'SESSION_REJECT' then finish(envelope['data']['reason'], envelope['data']['detail'])
        when 'SESSION_RESUMED' then resumed(envelope)
        when 'PAUSE', 'RESUME'
          @paused = envelope['type'] == 'PAUSE'
          [{ kind: :flow, paused: @paused }]
        when 'SESSION_CLOSED' then closed(envelope['data'])
        when 'ERROR' then fault(envelope)
        else []
        end
      end

      private

      def recall(remembered)
        @epoch = remembered.epoch
        @in.recover(remembered.taken, remembered.closing)
        @out.start_after(remembered.stored)
        remembered.lines.each do |line|
          head = JSON.parse(line)
          raise ArgumentError, "line #{head['seq']} does not follow #{@out.next - 1}" if head['seq'] != @out.next

          @out.queue(head['type'], line)
        end
      end

      def ready_lines(receipts)
        lines = @out.frame
        # What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session (N7).
        @in.acknowledge_again if !lines.empty? && @out.sent_close?
        owed = @in.owed
        waits = receipts == :later && lines.empty? && owed < Limits::RECEIPT_MESSAGES_MAX
        if owed.positive? && !waits
          @in.acknowledge
          lines << "{\"type\":\"MESSAGE_ACK\",\"session_id\":\"#{@session_id}\",\"ack\":#{@in.taken}}"
        end
        lines
      end

      def resume_line
        @question = @mint.call
        head = { 'type' => 'SESSION_RESUME', 'id' => @question, 'session_id' => @session_id }
        return Codec.encode(head.merge('data' => { 'received' => nil })) if @state == :recovering

        data = { 'epoch' => @epoch, 'received' => @in.last, 'first' => @out.acked + 1, 'next' => @out.next }
        Codec.encode(head.merge('ack' => @in.taken, 'data' => data))
      end

      def receive_work(envelope)
        case @in.receive(envelope)
        when :next then [{ kind: :work, envelope: envelope }]
        when :mismatch then finish('stream_mismatch', ClientFaults::MISMATCH_DETAIL)
        when :gap
          reattach_once
          []
        else []
        end
      end

      # As `reattach`, where one that is under way answers for what went wrong before it.
      def reattach_once
        reattach if @state == :ready
      end

      def accepted(envelope)
        data = envelope['data']
        @epoch = data['epoch']
        @peer = data['peer']
        return [] unless %i[offering accepting].include?(@state)

        become_ready
        [{ kind: :accepted, capabilities: data['capabilities'] }, *receipts(0, 0, envelope['limit'])]
      end

      def become_ready
        @state = :ready
        @opening = nil
      end

      def resumed(envelope)
        # The answer to an older question is about numbers that have moved since: it may even say gap.
        asked = envelope['in_reply_to']
        return [] if asked && asked != @question

        data = envelope['data']
        return recovered(data, envelope['limit']) if @state == :recovering
        return [] unless @state == :resuming

        events = receipts(data['received'], data['delivered'], envelope['limit'])
        return events + finish_by(data['outcome']) unless data['outcome'] == 'resumed'

        become_ready
        @out.rewind(data['received'])
        @paused = false
        unheard = @out.tell_unheard
        # Once a side has closed, nothing more is asked: every task ends with the session.
        requests = closing? ? [] : unheard
        events << { kind: :resumed }
        events << { kind: :unheard, requests: requests } unless requests.empty?
        events
      end

      # One side has closed.
      def closing?
        @out.closing? || @in.closed?
      end

      def recovered(data, limit)
        return finish_by(data['outcome']) unless data['outcome'] == 'resumed'

        @epoch = data['epoch'] || ''
        taken = data['taken'] || 0
        @out.recover(data['received'], data['delivered'], limit)
        @in.recover(taken, data['state'] == 'closing')
        become_ready
        [{ kind: :recovered, sent: data['sent'] || taken, requested: data['requested'] || [], closing: @in.closed? }]
      end

      def receipts(stored, delivered, limit)
        return [] unless @out.receipt(stored, delivered, limit, @state != :resuming)

        [{ kind: :receipts, stored: @out.acked, delivered: @out.delivered }]
      end

      def closed(data)
        receipts(data['received'], data['delivered'], 0) + finish(data['state'], 'The session has ended.')
      end

      def fault(fault)
        reason, detail = fault['data'].values_at('reason', 'detail')
        case ClientFaults.remedy_for(reason, @state)
        when :ask then reattach
        when :attach then reattach_once
        when :recover then return accepted_before(reason, detail)
        when :end then return finish(reason, detail)
        end
        [{ kind: :fault, fault: fault }]
      end

      # An earlier life of this agent had accepted it already: this one asks where that came to (A8).
      def accepted_before(reason, detail)
        return finish(reason, detail) if @out.next > 1

        @state = :recovering
        @opening = nil
        @asked = false
        []
      end

      def finish_by(outcome)
        finish("resume_#{outcome}", ClientFaults::OUTCOME_DETAIL[outcome])
      end

      def finish(reason, detail)
        @state = :ended
        [{ kind: :ended, reason: reason, detail: detail }]
      end
    end
  end
end
