# frozen_string_literal: true

# Inside a reactor: what waits for the SDK lets the other fibers of its thread run. With a small Fiber::Scheduler of the test's own, and with
# the gem async where it is installed.
require_relative 'support/stage'

# As little of a reactor as there can be: fibers that sleep, and fibers that wait for others, woken from any thread.
class SmallScheduler
  def initialize
    @ready = Thread::Queue.new
    @waiting = {}
    @blocked = 0
    @wake_reader, @wake_writer = IO.pipe
  end

  def run
    loop do
      resume(@ready.pop) until @ready.empty?
      now = Agentworks::Clock.now
      @waiting.select { |_, at| at <= now }.each_key { |fiber| resume(fiber) }
      next unless @ready.empty?
      break if @waiting.empty? && @blocked.zero?

      nap
    end
  end

  alias close run

  def fiber(&block)
    Fiber.new(blocking: false, &block).tap(&:resume)
  end

  def kernel_sleep(seconds = nil)
    block(nil, seconds)
  end

  def block(_blocker, timeout = nil)
    fiber = Fiber.current
    timeout ? @waiting[fiber] = Agentworks::Clock.now + timeout : @blocked += 1
    in_time = Fiber.yield
    @blocked -= 1 unless timeout
    in_time
  end

  # Called from any thread.
  def unblock(_blocker, fiber)
    @ready << fiber
    @wake_writer.write_nonblock('.', exception: false)
  end

  def io_wait(io, events, timeout)
    Thread.new { io.wait(events, timeout) }.value
  end

  private

  def resume(fiber)
    at = @waiting.delete(fiber)
    fiber.resume(at.nil? || at > Agentworks::Clock.now) if fiber.alive?
  end

  def nap
    soonest = @waiting.values.min
    IO.select([@wake_reader], nil, nil, soonest && [soonest - Agentworks::Clock.now, 0].max)
    @wake_reader.read_nonblock(64, exception: false)
  end
end

class SchedulerTest < AgentTest
  def test_under_a_small_scheduler
    assert_fibers_go_on { |fibers| in_thread_with(SmallScheduler.new, fibers) }
  end

  def test_under_async
    begin
      require 'async'
    rescue LoadError
      return assert true, 'the gem async is not installed: the small scheduler stands for it'
    end
    assert_fibers_go_on do |fibers|
      Thread.new { Async { |task| fibers.each { |block| task.async { block.call } } } }.join
    end
  end

  private

  def in_thread_with(scheduler, fibers)
    Thread.new do
      Fiber.set_scheduler(scheduler)
      fibers.each { |block| Fiber.schedule(&block) }
    end.join
  end

  # While one fiber waits for a task, another sleeps and ticks; a third reads messages, a fourth sends them.
  def assert_fibers_go_on
    planner = connect('planner')
    go = Thread::Queue.new
    connect('analyst').handle('slow') { |input, _| go.pop && input }
    session, there = session_between(planner, @agents.last)
    got = { ticks: 0, messages: [] }
    waiter = lambda do
      got[:late] = reason_of { session.request('slow', 0).result(timeout: 0.05) }
      task = session.request('slow', 1)
      2.times { go << true }
      got[:result] = task.result(timeout: PATIENCE)
    end
    ticker = -> { 20.times { sleep(0.01) && got[:ticks] += 1 } }
    reader = -> { 50.times { got[:messages] << there.messages.next(timeout: PATIENCE).content } }
    sender = lambda do
      50.times do |n|
        session.send_message(n).stored(timeout: PATIENCE)
        got[:ticks_while_sending] = got[:ticks]
      end
      got[:opened] = planner.open('analyst', timeout: PATIENCE) { |other| other.peer }
    end
    yield [waiter, ticker, reader, sender]
    assert_equal [:timed_out, 1, 20, (0...50).to_a, 'analyst'], got.values_at(:late, :result, :ticks, :messages, :opened)
  end
end
