# frozen_string_literal: true

module Agentworks
  # What came in and is not wholly taken, in the order of `seq`. Acknowledgement is cumulative, so a number is taken only when
  # everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else.
  class Inbox
    # One number of the peer's stream. Whoever handles it says `done`.
    Slot = Struct.new(:seq, :taken)

    # @param take [#call] is told the highest number through which everything is taken
    def initialize(&take)
      @open = []
      @take = take
    end

    # Numbers must come in order.
    # @return [Slot]
    def arrived(seq)
      Slot.new(seq, false).tap { |slot| @open << slot }
    end

    def done(slot)
      return if slot.taken

      slot.taken = true
      through = nil
      through = @open.shift.seq while @open.first&.taken
      @take.call(through) if through
    end
  end
end
