# frozen_string_literal: true

require 'json'
require_relative 'codec'
require_relative 'envelope'
require_relative 'limits'
require_relative 'streams'

# The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O.
# It keeps what the broker has not acknowledged, and it acknowledges what the application has taken (not what merely arrived),
# so that a slow application slows its peer down.
module Agentworks
  module Protocol
    # What must outlive a client's process, so that the next one goes on with the session as after any disconnect (A2):
    # the application has taken everything through `taken`; of this end's own, the broker has stored everything through `stored`, and `lines` are
    # the exact lines of all that was queued after it, in order; closing: either side has closed it.
    Remembered = Struct.new(:session_id, :peer, :epoch, :taken, :stored, :lines, :closing, keyword_init: true)

    # States: offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
    # resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work will
    # flow again.
    #
    # Events are hashes with `kind`, what the application hears; `work` comes in order and once:
    #   accepted {capabilities} · resumed · unheard {requests} · recovered {sent, requested, closing} · work {envelope} ·
    #   receipts {stored, delivered} · flow {paused} · fault {fault} · ended {reason, detail}
    # `requests` are the `data` of TASK_REQUESTs that were stored while nothing the broker said was heard: if it refused one of them
    # (T9), that is lost. Ask again for those that are open (A11).
    # Work through recovered's `sent` may have been taken in an earlier life; `requested` are tasks that this agent asked for then.
    # closing: that life or the peer has closed the session; nothing more is to be said in it.
    class ClientSession
      OUTCOME_DETAIL = {
        'resumed' => '',
        'closed' => 'The session is closed. What was acknowledged before is stored.',
        'unknown' => 'The broker does not know the session.',
        'gap' => 'The broker and this client do not agree on what was sent; the session cannot go on without losing something.',
        'epoch_mismatch' => 'The session was restored from older storage; it cannot go on without losing something.'
      }.freeze
      MISMATCH_DETAIL =
        'The broker repeated a number with another envelope: its storage is an older one; the session cannot go on.'
      REQUEST_HEAD = '{"type":"TASK_REQUEST"'
      DATA = ',"data":'
      # Half of a frame stays free for acknowledgements and other sessions (B2).
      WORK_LINES_MAX = Limits::FRAME_ENVELOPES_MAX / 2
      WORK_BYTES_MAX = Limits::FRAME_BYTES_MAX / 2
      private_constant :OUTCOME_DETAIL, :MISMATCH_DETAIL, :REQUEST_HEAD, :DATA, :WORK_LINES_MAX, :WORK_BYTES_MAX

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
        @in = ReceiveStream.new
        @out = SendStream.new
        @limit = 0
        @delivered = 0
        # The application has taken everything through this.
        @taken = 0
        @said_taken = 0
        @paused = false
        @close_seq = nil
        # Somebody else closed: the peer, or an earlier life.
        @closed_elsewhere = false
        # The ids of the last work that came, by `seq` modulo the window.
        @ids = []
        # The last `seq` of the frame that is on its way, or 0. Only one is: what queues up meanwhile shares the next (B1).
        @flying = 0
        # What is acknowledged before an attachment is made again: its ERRORs may be lost.
        @unheard = []
        # The id of the SESSION_RESUME that waits for its answer.
        @question = nil
      end
      private_class_method :new

      # @return [Remembered] what `recall` needs to go on from here
      def remembered
        Remembered.new(
          session_id: @session_id, peer: @peer, epoch: @epoch, taken: @taken, stored: @out.acked, lines: @out.waiting_lines.map(&:line),
          closing: closing? ? true : false
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

        done = @out.waiting.zero? && @delivered >= @out.acked
        done && !closing? ? nil : [@out.acked, @delivered, @taken]
      end

      # Queues one envelope. Never refuses: the caller bounds the backlog.
      # @param data [String] `data` as JSON text of the type's own shape: who had to measure it need not write it twice
      # @return [Integer] its `seq`
      def send_text(type, id, data, in_reply_to: nil, traceparent: nil)
        seq = @out.next
        more = +''
        more << ",\"in_reply_to\":#{JSON.generate(in_reply_to)}" if in_reply_to
        more << ",\"traceparent\":#{JSON.generate(traceparent)}" if traceparent
        queue(
          type, "{\"type\":\"#{type}\",\"id\":\"#{id}\",\"session_id\":\"#{@session_id}\",\"seq\":#{seq}#{more},\"data\":#{data}}"
        )
        seq
      end

      # The application has taken everything through `seq`: it will be acknowledged with the next lines.
      def take(seq)
        @taken = seq if seq > @taken
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
        @state == :ready && @taken > @said_taken
      end

      # Whether `lines(:later)` would give nothing, now: not before an envelope of the broker's, or another event, has come.
      def waiting_for_broker?
        case @state
        when :ended then true
        when :ready
          @taken - @said_taken < Limits::RECEIPT_MESSAGES_MAX &&
            (@flying > @out.acked || @out.sent + 1 >= @out.next || @out.sent >= @limit)
        else @asked
        end
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

      def queue(type, line)
        @close_seq = @out.next if type == 'SESSION_CLOSE'
        @out.append(line)
      end

      def recall(remembered)
        @epoch = remembered.epoch
        @taken = @said_taken = @in.last = remembered.taken
        @closed_elsewhere = remembered.closing
        @out.start_after(remembered.stored)
        remembered.lines.each do |line|
          head = JSON.parse(line)
          raise ArgumentError, "line #{head['seq']} does not follow #{@out.next - 1}" if head['seq'] != @out.next

          queue(head['type'], line)
        end
      end

      def ready_lines(receipts)
        lines = work_lines
        owed = @taken - @said_taken
        waits = receipts == :later && lines.empty? && owed < Limits::RECEIPT_MESSAGES_MAX
        if owed.positive? && !waits
          @said_taken = @taken
          lines << "{\"type\":\"MESSAGE_ACK\",\"session_id\":\"#{@session_id}\",\"ack\":#{@taken}}"
        end
        lines
      end

      def resume_line
        @question = @mint.call
        head = { 'type' => 'SESSION_RESUME', 'id' => @question, 'session_id' => @session_id }
        return Codec.encode(head.merge('data' => { 'received' => nil })) if @state == :recovering

        data = { 'epoch' => @epoch, 'received' => @in.last, 'first' => @out.acked + 1, 'next' => @out.next }
        Codec.encode(head.merge('ack' => @taken, 'data' => data))
      end

      def work_lines
        lines = []
        return lines if @flying > @out.acked

        waiting = @out.waiting_lines
        bytes = 0
        (@out.sent - @out.acked).upto(waiting.length - 1) do |index|
          outgoing = waiting[index]
          bytes += outgoing.line.bytesize + 1
          full = lines.length >= WORK_LINES_MAX || bytes > WORK_BYTES_MAX
          break if outgoing.seq > @limit || (full && !lines.empty?)

          lines << outgoing.line
        end
        return lines if lines.empty?

        @out.sent += lines.length
        # What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session (N7).
        @said_taken = -1 if @close_seq && @out.sent >= @close_seq
        @flying = @out.sent
        lines
      end

      def receive_work(envelope)
        seq = envelope['seq']
        case @in.judge(seq)
        when :next
          @in.last = seq
          @ids[seq % Limits::WINDOW_MESSAGES] = envelope['id']
          @closed_elsewhere = true if envelope['type'] == 'SESSION_CLOSE'
          [{ kind: :work, envelope: envelope }]
        when :duplicate then repeated(seq, envelope['id'])
        else
          reattach_once
          []
        end
      end

      def repeated(seq, id)
        # A6: what is sent again has the same id. Another one is another history, of a storage that was put back behind our backs (A10).
        recent = seq > @in.last - Limits::WINDOW_MESSAGES
        known = recent ? @ids[seq % Limits::WINDOW_MESSAGES] : nil
        return finish('stream_mismatch', MISMATCH_DETAIL) if known && known != id

        @said_taken = [@said_taken, @taken - 1].min
        []
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
        @flying = 0
        @paused = false
        # Once a side has closed, nothing more is asked: every task ends with the session.
        requests = closing? ? [] : @unheard.map { |outgoing| request_in(outgoing.line) }.compact
        @unheard = []
        events << { kind: :resumed }
        events << { kind: :unheard, requests: requests } unless requests.empty?
        events
      end

      # @return [String, nil] the `data` of a TASK_REQUEST as this end wrote it
      def request_in(line)
        line[(line.index(DATA) + DATA.length)..-2] if line.start_with?(REQUEST_HEAD)
      end

      # One side has closed.
      def closing?
        @close_seq || @closed_elsewhere
      end

      def recovered(data, limit)
        return finish_by(data['outcome']) unless data['outcome'] == 'resumed'

        @epoch = data['epoch'] || ''
        @out.start_after(data['received'])
        @taken = @said_taken = @in.last = data['taken'] || 0
        @delivered = data['delivered']
        @limit = limit
        @closed_elsewhere = data['state'] == 'closing'
        become_ready
        [{ kind: :recovered, sent: data['sent'] || @taken, requested: data['requested'] || [], closing: @closed_elsewhere }]
      end

      def receipts(stored, delivered, limit)
        before = @out.acked + @delivered
        done = @out.acknowledge(stored)
        @unheard.concat(done) if @state == :resuming
        @delivered = delivered if delivered > @delivered
        @limit = limit if limit > @limit
        return [] if @out.acked + @delivered == before

        [{ kind: :receipts, stored: @out.acked, delivered: @delivered }]
      end

      def closed(data)
        receipts(data['received'], data['delivered'], 0) + finish(data['state'], 'The session has ended.')
      end

      def fault(fault)
        reason = fault['data']['reason']
        case reason
        when 'too_many_lookups', 'relay_lost'
          # The question itself may be what was lost: it is asked again, whatever it was.
          reattach
        when 'session_not_attached', 'sequence_gap', 'ack_beyond', 'flow_control'
          # All of them say the same: what is on the way is not what the broker expects. Attach again, from where it stands.
          reattach_once
        when 'session_exists', 'self_session', 'too_many_sessions'
          # They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
          return finish(reason, fault['data']['detail']) if %i[offering accepting].include?(@state)
        when 'session_not_pending'
          return accepted_before(fault['data']['detail']) if @state == :accepting
        when 'session_unknown', 'session_closed', 'session_damaged', 'invalid_envelope', 'envelope_too_large', 'too_deep', 'from_mismatch'
          # An envelope that the broker cannot take stops the stream: nothing after it would ever be in sequence.
          return finish(reason, fault['data']['detail'])
        end
        [{ kind: :fault, fault: fault }]
      end

      # An earlier life of this agent had accepted it already: this one asks where that came to (A8).
      def accepted_before(detail)
        return finish('session_not_pending', detail) if @out.next > 1

        @state = :recovering
        @opening = nil
        @asked = false
        []
      end

      def finish_by(outcome)
        finish("resume_#{outcome}", OUTCOME_DETAIL[outcome])
      end

      def finish(reason, detail)
        @state = :ended
        [{ kind: :ended, reason: reason, detail: detail }]
      end
    end
  end
end
