# frozen_string_literal: true

# The two ends of one numbered stream: SendStream gives out `seq` and waits for acknowledgements, ReceiveStream judges what
# arrives (PROTOCOL, Streams). Pure state.
module Agentworks
  module Protocol
    # One line of work that occupies the number `seq` of its stream.
    Outgoing = Struct.new(:seq, :line)

    class SendStream
      # @return [Integer] the next number to give out
      attr_reader :next
      # @return [Integer] everything through this was acknowledged
      attr_reader :acked
      # @return [Integer] everything through this was handed to the present attachment
      attr_accessor :sent
      # @return [Integer] bytes not yet acknowledged
      attr_reader :bytes
      # @return [Array<Outgoing>] what is not acknowledged, oldest first: the first is number `acked + 1`
      attr_reader :waiting_lines

      def initialize
        @next = 1
        @acked = 0
        @sent = 0
        @bytes = 0
        @waiting_lines = []
      end

      # @return [Integer] numbers given out and not acknowledged
      def waiting
        @next - 1 - @acked
      end

      # Takes the line of number `next`.
      def append(line)
        @waiting_lines << Outgoing.new(@next, line)
        @bytes += line.bytesize
        @next += 1
      end

      # A cumulative acknowledgement; older ones change nothing (S5), nor does one of what was never given out.
      # @return [Array<Outgoing>] what is acknowledged by it
      def acknowledge(seq)
        return [] if seq <= @acked || seq >= @next

        done = @waiting_lines.shift(seq - @acked)
        done.each { |outgoing| @bytes -= outgoing.line.bytesize }
        @acked = seq
        @sent = seq if @sent < seq
        done
      end

      # Begins where another life of this end had come to: everything through `last` is done. Only while nothing is queued.
      def start_after(last)
        raise 'a stream that holds something cannot begin anew' unless @waiting_lines.empty?

        @next = last + 1
        @acked = last
        @sent = last
      end

      # A new attachment has everything through `received`: all after it is to be sent again (S8), but for what is acknowledged.
      def rewind(received)
        @sent = [received, @acked].max
      end
    end

    class ReceiveStream
      # @return [Integer] everything through this was accepted
      attr_accessor :last

      def initialize
        @last = 0
      end

      # S2, S3, S4: the next one is taken, an older one is a duplicate, anything beyond is a gap. Changes nothing.
      def judge(seq)
        return :duplicate if seq <= @last

        seq == @last + 1 ? :next : :gap
      end
    end
  end
end
