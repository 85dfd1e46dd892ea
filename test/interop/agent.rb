# frozen_string_literal: true

# The Ruby driver: one agent over the SDK's public API, led by JSON lines on stdin (README.md says which). It judges nothing: what it
# saw is what it answers.
require 'agentworks'
require 'json'
require 'set'

# Values that may be asked for before they are there.
class Shelf
  def initialize
    @values = {}
    @lock = Mutex.new
    @put = ConditionVariable.new
  end

  def get(key)
    @lock.synchronize do
      @put.wait(@lock) until @values.key?(key)
      @values[key]
    end
  end

  def key?(key)
    @lock.synchronize { @values.key?(key) }
  end

  def put(key, value)
    @lock.synchronize do
      @values[key] = value
      @put.broadcast
    end
  end
end

# One method for each command.
class Driver
  OUTCOMES = { Agentworks::TaskCancelled => 'cancelled', Agentworks::TaskExpired => 'expired' }.freeze

  def initialize
    @sessions = Shelf.new
    @tasks = Shelf.new
    # By the id of the task that holds.
    @released = Shelf.new
    @lock = Mutex.new
    @told = ConditionVariable.new
    @runs = []
    @statuses = []
  end

  # What every driver can do, by name.
  def behaviours
    {
      'echo' => ->(input, _) { input },
      'count' => method(:count),
      'fail' => ->(input, _) { fail_with(input) },
      'ask' => ->(input, task) { { asked: task.session.request(input['capability'], input['input']).result } },
      'hang' => ->(_, task) { task.wait_cancelled && task.check_cancelled },
      'hold' => method(:hold)
    }
  end

  def connect(url:, ca:, certificate: nil, key: nil, direct: false, journal: nil, timeout_ms: nil)
    @agent = Agentworks.connect(
      url: url, certificate: certificate, key: key, ca: ca, direct: direct, journal: journal,
      reconnect: { base_ms: 50, max_ms: 500 },
      accept: ->(offer) { (offer.metadata || {})['reject'] || true },
      timeout: timeout_ms && (timeout_ms / 1000.0)
    )
    Thread.new { @agent.sessions.each { |session| @sessions.put(session.id, session) } }
    note_statuses(@agent.status)
    behaviours.each_key { |name| handle(capability: name, as: name) }
    { agent: @agent.id, account: @agent.account }
  end

  def handle(capability:, as:, max_concurrency: nil)
    behaviour = behaviours.fetch(as)
    @agent.handle(capability, max_concurrency: max_concurrency) { |input, task| note(capability, task) { behaviour.call(input, task) } }
    {}
  end

  def agents(capability: nil)
    { agents: @agent.agents(capability: capability).map(&:agent) }
  end

  def open(peer: nil, capability: nil, metadata: nil, wait_ms: 0)
    session = @agent.open(peer, capability: capability, metadata: metadata, wait_ms: wait_ms)
    @sessions.put(session.id, session)
    { session: session.id, peer: session.peer, capabilities: session.capabilities.map { |one| one['name'] } }
  end

  def session(session:)
    held = @sessions.get(session)
    { peer: held.peer, recovered: held.recovered?, requested: held.requested }
  end

  def request(session:, capability:, input:, task: nil, deadline_ms: nil)
    asked = @sessions.get(session).request(capability, input, task_id: task, deadline_ms: deadline_ms)
    @tasks.put(asked.id, asked)
    { task: asked.id }
  end

  def result(task:)
    asked = @tasks.get(task)
    progress = asked.progress.to_a
    { outcome: 'succeeded', result: asked.result, progress: progress }
  rescue Agentworks::TaskFailed => e
    { outcome: 'failed', error: e.error, progress: progress }
  rescue Agentworks::Error => e
    { outcome: OUTCOMES.fetch(e.class, 'refused'), error: { reason: e.reason, message: e.detail }, progress: progress }
  end

  def started(task:)
    @tasks.get(task).delivered
    {}
  end

  def cancel(task:, reason: nil)
    @tasks.get(task).cancel(reason)
    {}
  end

  def release(task:)
    @released.put(task, true)
    {}
  end

  def runs
    { runs: @lock.synchronize { @runs.map(&:dup) } }
  end

  def send_numbers(session:, from:, to:, pad: 0, wait: 'stored')
    held = @sessions.get(session)
    text = 'x' * pad
    receipts = (from..to).map do |n|
      held.wait_ready
      held.send_message({ n: n, pad: text })
    end
    receipts.each(&:stored) unless wait == 'queued'
    receipts.each(&:delivered) if wait == 'delivered'
    { sent: receipts.size }
  end

  def receive(session:, from:, to:, each_ms: 0)
    messages = @sessions.get(session).messages
    seen = { received: 0, lost: 0, duplicated: 0, out_of_order: 0, redelivered: 0 }
    taken = Set.new
    last = from - 1
    while last < to
      n = take(messages, seen)
      break if n.nil?

      if n < from || taken.include?(n)
        seen[:duplicated] += 1
      elsif n < last
        seen[:out_of_order] += 1
      end
      taken << n
      last = [last, n].max
      sleep(each_ms / 1000.0) if each_ms.positive?
    end
    seen.merge(lost: (from..to).count { |each| !taken.include?(each) })
  end

  def pause(session:)
    @sessions.get(session).pause
    {}
  end

  def resume(session:)
    @sessions.get(session).resume
    {}
  end

  def close(session:, reason: 'closed')
    @sessions.get(session).close(reason)
    {}
  end

  def ended(session:)
    found = @sessions.get(session).wait_closed
    found.error ? { reason: found.reason, error: found.error.reason } : { reason: found.reason }
  end

  # `until` is a word of Ruby's own.
  def statuses(count: 1, **asked)
    type = asked[:until]
    @lock.synchronize do
      @told.wait(@lock) until type.nil? || @statuses.count(type) >= count
      { statuses: @statuses.dup }
    end
  end

  def drain
    @agent.drain
    {}
  end

  def leave
    @agent.close
    {}
  end

  private

  def count(input, task)
    1.upto(input['to']) do |n|
      task.progress({ n: n })
      pause_ms = input.fetch('each_ms', 0)
      task.check_cancelled if pause_ms.positive? && task.wait_cancelled(pause_ms / 1000.0)
    end
    input['to']
  end

  def fail_with(input)
    raise input['message'] unless input.key?('reason')

    raise Agentworks::TaskFailed.new(input['message'], reason: input['reason'], retryable: input['retryable'])
  end

  def hold(input, task)
    task.wait_cancelled(0.01) until @released.key?(task.id) || task.cancelled?
    task.check_cancelled
    { held: input, redelivered: task.redelivered? }
  end

  # The behaviour, with a note of each run.
  def note(capability, task)
    run = { task: task.id, capability: capability, requester: task.requester, redelivered: task.redelivered?, aborted: false }
    @lock.synchronize { @runs << run }
    task.on_cancel { @lock.synchronize { run[:aborted] = true } }
    yield
  end

  def note_statuses(reader)
    Thread.new do
      reader.each do |status|
        @lock.synchronize do
          @statuses << status.type.to_s
          @told.broadcast
        end
      end
    end
  end

  # The number of the next message; nil at the end.
  def take(messages, seen)
    message = messages.next
    seen[:received] += 1
    seen[:redelivered] += 1 if message.redelivered?
    message.content['n']
  rescue StopIteration
    nil
  end
end

# Whose name Ruby needs for itself.
METHODS = { 'send' => 'send_numbers' }.freeze

def obey(driver, command)
  id, name = command.values_at('id', 'do')
  parameters = command.except('id', 'do').transform_keys(&:to_sym)
  { id: id, value: driver.public_send(METHODS.fetch(name, name), **parameters) }
rescue Agentworks::Error => e
  { id: id, error: { reason: e.reason, detail: e.detail, retryable: e.retryable? } }
rescue StandardError => e
  { id: id, error: { reason: 'driver_failed', detail: e.full_message(highlight: false) } }
end

driver = Driver.new
output = Mutex.new
# Commands run side by side: each is answered when it is done.
$stdin.set_encoding(Encoding::UTF_8)
$stdin.each_line do |line|
  Thread.new(JSON.parse(line)) do |command|
    text = JSON.generate(obey(driver, command))
    output.synchronize do
      $stdout.puts(text)
      $stdout.flush
    end
  end
end
