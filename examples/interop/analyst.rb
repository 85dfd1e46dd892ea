# frozen_string_literal: true

# The analyst, in Ruby. It is asked to `analyze` a document that it does not have, so it asks whoever asked it back for every part, in
# the same session, while it works. It knows no other agent by name.
require 'agentworks'

$stdout.sync = true

# What it has done so far, for all sessions: handlers run in threads of their own.
class Desk
  def initialize
    @lock = Mutex.new
    @notes = Hash.new(0)
    @runs = Hash.new(0)
  end

  # How often this very task has been begun.
  def begin(task)
    @lock.synchronize { @runs[task.id] += 1 }
  end

  # The number of the next note in that session.
  def next_note(session)
    @lock.synchronize { @notes[session.id] += 1 }
  end

  def notes(session)
    @lock.synchronize { @notes[session.id] }
  end
end

# What is found in a text that comes part by part.
class Findings
  attr_reader :words, :headings

  def initialize
    @words = 0
    @headings = 0
    @counts = Hash.new(0)
  end

  def add(text)
    @headings += text.scan(/^\#+ /).size
    @words += text.split.size
    text.downcase.scan(/\p{L}{4,}/) { |word| @counts[word] += 1 }
  end

  # The longest word that comes at least twice.
  def theme
    repeated = @counts.select { |_, count| count > 1 }.keys
    repeated.min_by { |word| [-word.size, word] } || ''
  end
end

def analyze(input, task, desk)
  name, parts = input.values_at('name', 'parts')
  run = desk.begin(task)
  findings = Findings.new
  1.upto(parts) do |part|
    findings.add(task.session.request('read', { name: name, part: part }).result)
    note = desk.next_note(task.session)
    receipt = task.session.send_message({ note: note, about: "#{name}, part #{part}" }).stored
    puts "MESSAGE note #{note} for #{task.requester} · seq #{receipt.seq} · stored"
    task.progress({ step: part, of: parts, words: findings.words })
    # Agents think. Who does not want to know any more need not wait for the end of it.
    task.check_cancelled if task.wait_cancelled(0.05)
  end
  {
    name: name, words: findings.words, headings: findings.headings, theme: findings.theme,
    notes: desk.notes(task.session), runs: run
  }
end

# Says that the connection is lost, and found again: nothing else is to be done about it.
def watch(statuses)
  connected = true
  statuses.each do |status|
    case status
    in { type: :disconnected, code: } if connected
      connected = false
      puts "lost its connection (#{code}), and tries again"
    in { type: :connected }
      connected = true
      puts 'connected again; its sessions resume where they stood'
    else
      # Of no interest here.
    end
  end
end

begin
  Agentworks.connect(
    url: ENV.fetch('AGENTWORKS_URL'), certificate: ENV.fetch('AGENTWORKS_CERTIFICATE'),
    key: ENV.fetch('AGENTWORKS_KEY'), ca: ENV.fetch('AGENTWORKS_CA')
  ) do |agent|
    desk = Desk.new
    agent.handle('analyze', max_concurrency: 4, description: 'Reads a document and says what is in it.') do |input, task|
      analyze(input, task, desk)
    end
    puts 'is connected with its own certificate (Ruby)'
    Thread.new { watch(agent.status) }
    agent.join
  end
rescue Interrupt
  puts 'has left in good order'
end
