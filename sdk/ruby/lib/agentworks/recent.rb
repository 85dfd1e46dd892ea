# frozen_string_literal: true

module Agentworks
  # The newest names of a kind, and no more of them than a bound: a memory that cannot grow.
  class Recent
    # @param max [Integer] how many are remembered; the oldest are forgotten first
    def initialize(max)
      @max = max
      @names = {}
    end

    def add(name)
      @names[name] = true
      @names.shift if @names.size > @max
    end

    def include?(name)
      @names.key?(name)
    end
  end
end
