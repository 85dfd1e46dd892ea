# frozen_string_literal: true

require_relative 'limits'
require_relative 'streams'

# The client half's own stream of work: queued in order, sent a frame at a time and within the limit, kept until the broker has
# stored it (S5, S8, B1, B2), and what of it may have been refused unheard (A11). It knows no state of the session and no connection.
module Agentworks
  module Protocol
    class OutgoingWork < SendStream
      REQUEST_HEAD = '{"type":"TASK_REQUEST"'
      DATA = ',"data":'
      # Half of a frame stays free for receipts and other sessions (B2).
      WORK_LINES_MAX = Limits::FRAME_ENVELOPES_MAX / 2
      WORK_BYTES_MAX = Limits::FRAME_BYTES_MAX / 2
      private_constant :REQUEST_HEAD, :DATA, :WORK_LINES_MAX, :WORK_BYTES_MAX

      # @return [Integer] the peer has taken everything through this
      attr_reader :delivered

      def initialize
        super
        @delivered = 0
        # The broker takes nothing beyond this.
        @limit = 0
        @close_seq = nil
        # What is acknowledged before an attachment is made again: its ERRORs may be lost.
        @unheard = []
      end

      # This end has queued SESSION_CLOSE.
      def closing?
        !@close_seq.nil?
      end

      # … and has sent it.
      def sent_close?
        closing? && @sent >= @close_seq
      end

      # Takes the line of number `next`.
      def queue(type, line)
        @close_seq = @next if type == 'SESSION_CLOSE'
        append(line)
      end

      # The lines of the next frame, which are sent by that: whatever there is while nothing is on its way, else only a full frame (B1).
      def frame
        lines, full = next_frame
        return [] if flying? && !full

        @sent += lines.length
        lines
      end

      # A full frame may go now, whatever is on its way.
      def full_frame?
        next_frame.last
      end

      # Whether `frame` would give nothing.
      def waiting_for_broker?
        lines, full = next_frame
        flying? ? !full : lines.empty?
      end

      # The broker has stored, the peer has taken, the broker takes: everything through these. Lower ones change nothing.
      # @param attached [Boolean] false: what it said of the work that it stored may be lost
      # @return [Boolean] whether more is stored or delivered than before
      def receipt(stored, delivered, limit, attached)
        before = @acked + @delivered
        done = acknowledge(stored)
        @unheard.concat(done) unless attached
        @delivered = delivered if delivered > @delivered
        @limit = limit if limit > @limit
        @acked + @delivered != before
      end

      # @return [Array<String>] the `data` of the TASK_REQUESTs that were stored unheard: told once
      def tell_unheard
        requests = @unheard.map { |outgoing| request_in(outgoing.line) }.compact
        @unheard = []
        requests
      end

      # Goes on where an earlier life had come to, of which nothing is left here.
      def recover(stored, delivered, limit)
        start_after(stored)
        @delivered = delivered
        @limit = limit
      end

      private

      def flying?
        @sent > @acked
      end

      # @return [Array(Array<String>, Boolean)] what the next frame would have, as far as the limit allows, and whether it has room for
      #   no more
      def next_frame
        lines = []
        waiting = @next - 1 - @sent
        # Most often there is nothing, or surely too little to go beside what is on its way: then no line is looked at.
        return [lines, false] if waiting.zero? || (flying? && waiting < WORK_LINES_MAX && @bytes + waiting <= WORK_BYTES_MAX)

        bytes = 0
        @waiting_lines[@sent - @acked, WORK_LINES_MAX].each do |outgoing|
          bytes += outgoing.line.bytesize + 1
          break if outgoing.seq > @limit
          return [lines, true] if bytes > WORK_BYTES_MAX && !lines.empty?

          lines << outgoing.line
        end
        [lines, lines.length >= WORK_LINES_MAX]
      end

      # @return [String, nil] the `data` of a TASK_REQUEST as this end wrote it
      def request_in(line)
        line[(line.index(DATA) + DATA.length)..-2] if line.start_with?(REQUEST_HEAD)
      end
    end
  end
end
