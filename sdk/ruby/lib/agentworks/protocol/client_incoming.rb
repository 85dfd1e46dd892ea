# frozen_string_literal: true

require_relative 'limits'
require_relative 'streams'

# The peer's stream of work as it comes to the client half: in order and once (S2–S4), the same when it is repeated (A10), and
# acknowledged when the application has taken it (N3, B3). It knows no state of the session and no connection.
module Agentworks
  module Protocol
    class IncomingWork < ReceiveStream
      # @return [Integer] the application has taken everything through this
      attr_reader :taken

      def initialize
        super
        @taken = 0
        @said_taken = 0
        # Somebody else closed: the peer, or an earlier life.
        @closed = false
        # The ids of the last work that came, by `seq` modulo the window.
        @ids = []
      end

      def closed?
        @closed
      end

      # @return [Integer] how much the application has taken that the broker was not told
      def owed
        @taken - @said_taken
      end

      # The application has taken everything through `seq`.
      def take(seq)
        @taken = seq if seq > @taken
      end

      # The broker is told what is taken.
      def acknowledge
        @said_taken = @taken
      end

      # The broker is to be told once more, whatever it was told.
      def acknowledge_again
        @said_taken = -1
      end

      # @return [:next, :duplicate, :gap, :mismatch] mismatch: what came is not what came before under its number
      def receive(envelope)
        seq = envelope['seq']
        verdict = judge(seq)
        case verdict
        when :next
          @last = seq
          @ids[seq % Limits::WINDOW_MESSAGES] = envelope['id']
          @closed = true if envelope['type'] == 'SESSION_CLOSE'
        when :duplicate
          return :mismatch if another_history?(seq, envelope['id'])

          @said_taken = [@said_taken, @taken - 1].min
        end
        verdict
      end

      # Goes on where an earlier life had come to: it had taken everything through `taken`.
      def recover(taken, closed)
        @last = @taken = @said_taken = taken
        @closed = closed
      end

      private

      # A10: what is sent again has the same id. Another one is another history, of a storage that was put back behind our backs.
      def another_history?(seq, id)
        known = @ids[seq % Limits::WINDOW_MESSAGES] if seq > @last - Limits::WINDOW_MESSAGES
        !known.nil? && known != id
      end
    end
  end
end
