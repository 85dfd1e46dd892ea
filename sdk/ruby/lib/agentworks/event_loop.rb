# frozen_string_literal: true

require_relative 'clock'

module Agentworks
  # The one thread of an agent: it waits for sockets and for the time, and lets them do what is due. What it runs decides
  # nothing of its own here. Timers and turns run with the agent's lock held; sockets read and write without it.
  class EventLoop
    # Something that is due at a time, until it is cancelled.
    Timer = Struct.new(:at, :callback) do
      def cancel
        self.callback = nil
      end
    end

    # @param turn [#call] what is done at the end of each turn, with the lock held
    # @param failed [#call] is told of an error that nobody has foreseen, with the lock held; the loop ends with it
    def initialize(lock, name, turn:, failed:)
      @lock = lock
      @turn = turn
      @failed = failed
      @timers = []
      @sockets = []
      @awake = false
      @stopped = false
      @waiter, @waker = IO.pipe
      @thread = Thread.new { run }
      @thread.name = name
      @thread.report_on_exception = false
    end

    # --- with the lock held

    # The next turn comes at once.
    def wake
      return if @awake || @stopped

      @awake = true
      @waker.write_nonblock('.', exception: false) unless Thread.current == @thread
    end

    # @param seconds [Numeric] from now
    def after(seconds, &callback)
      timer = Timer.new(Clock.now + seconds, callback)
      @timers << timer
      wake
      timer
    end

    def watch(socket)
      @sockets << socket
      wake
    end

    # The loop ends when it has done what is left: sockets that are closing are given a moment.
    def stop
      wake
      @stopped = true
    end

    # --- without it

    # Waits until the loop has ended.
    def join
      @thread.join unless Thread.current == @thread
    end

    private

    def run
      loop do
        sockets, timeout = @lock.synchronize { prepare }
        break if sockets.empty? && @stopped

        wait(sockets, timeout)
        sockets.each(&:work)
        @lock.synchronize do
          take_turn
          sockets.each(&:flush)
        end
      end
    rescue StandardError, SystemStackError => e
      @lock.synchronize do
        @stopped = true
        @failed.call(e)
      end
    ensure
      @sockets.each(&:destroy)
      @waiter.close
      @waker.close
    end

    def prepare
      @sockets.reject!(&:over?)
      return [@sockets.dup, @awake ? 0 : nil] if @stopped && @sockets.empty?

      @timers.select!(&:callback)
      soonest = @timers.min_by(&:at)
      timeout = soonest && [soonest.at - Clock.now, 0].max
      [@sockets.dup, @awake ? 0 : timeout]
    end

    def wait(sockets, timeout)
      readers = sockets.select(&:reads?).map(&:io)
      writers = sockets.select(&:writes?).map(&:io)
      readable, = IO.select([@waiter, *readers], writers, nil, timeout)
      @waiter.read_nonblock(64, exception: false) if readable&.include?(@waiter)
    end

    def take_turn
      @awake = false
      now = Clock.now
      due = @timers.select { |timer| timer.at <= now }
      due.each do |timer|
        callback = timer.callback
        timer.cancel
        callback&.call
      end
      @turn.call
    end
  end
end
