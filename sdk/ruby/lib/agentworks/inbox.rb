# frozen_string_literal: true

module Agentworks
  # What came in and is not wholly taken, in the order of `seq`. Acknowledgement is cumulative, so a number is taken only when
  # everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else.
  class Inbox
    # One number of the peer's stream. Whoever handles it says `done`. `envelope` is what came, where more than its number is to be
    # remembered.
    Slot = Struct.new(:seq, :taken, :envelope)

    # @param note [#call, nil] is told of each number before it is taken, and through which number everything is taken by that (0: something
    #   before it is not); false: the application must not have it
    # @param take [#call] is told the highest number through which everything is taken
    def initialize(note: nil, &take)
      @open = []
      @note = note
      @take = take
      # Numbers that an earlier life took before what precedes them.
      @before = {}
    end

    # These were taken already, and come again because something before them was not.
    # @param taken [Enumerable<Integer>]
    def recall(taken)
      taken.each { |seq| @before[seq] = true }
    end

    # Whether it was taken in an earlier life: then it only keeps its place. Instead of `arrived`.
    def had_before?(seq)
      return false unless @before.delete(seq)

      @open << Slot.new(seq, true)
      true
    end

    # Numbers must come in order.
    # @return [Slot]
    def arrived(seq, envelope = nil)
      Slot.new(seq, false, envelope).tap { |slot| @open << slot }
    end

    # @return [Boolean] whether the application may have it
    def done(slot)
      return true if slot.taken

      slot.taken = true
      through = 0
      through = @open.shift.seq while @open.first&.taken
      return false if @note && !@note.call(slot, through)

      @take.call(through) if through.positive?
      true
    end
  end
end
