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
      # Half of a frame stays free for acknowledgements and other sessions (B2).
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
        # The last `seq` of the frame that is on its way, or 0. Only one is: what queues up meanwhile shares the next (B1).
        @flying = 0
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

      # The lines of the next frame, which are sent by that; none while one is on its way.
      def frame
        lines = []
        return lines if @flying > @acked

        bytes = 0
        (@sent - @acked).upto(@waiting_lines.length - 1) do |index|
          outgoing = @waiting_lines[index]
          bytes += outgoing.line.bytesize + 1
          full = lines.length >= WORK_LINES_MAX || bytes > WORK_BYTES_MAX
          break if outgoing.seq > @limit || (full && !lines.empty?)

          lines << outgoing.line
        end
        return lines if lines.empty?

        @sent += lines.length
        @flying = @sent
        lines
      end

      # Whether `frame` would give nothing.
      def waiting_for_broker?
        @flying > @acked || @sent + 1 >= @next || @sent >= @limit
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

      # The session is attached again, and the broker has everything through `received`.
      def rewind(received)
        super
        @flying = 0
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

      # @return [String, nil] the `data` of a TASK_REQUEST as this end wrote it
      def request_in(line)
        line[(line.index(DATA) + DATA.length)..-2] if line.start_with?(REQUEST_HEAD)
      end
    end
  end
end
