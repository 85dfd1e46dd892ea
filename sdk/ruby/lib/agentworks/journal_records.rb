# frozen_string_literal: true

require 'json'
require_relative 'error'
require_relative 'protocol/client_events'
require_relative 'protocol/codec'
require_relative 'protocol/envelope'
require_relative 'protocol/ids'

# What a journal says: its records, how they read as lines, and what all of them together remember. The SDKs of all languages read and write
# the same. Pure: files are the business of `journal.rb`, so that every order of records and every damage can be tried here.
module Agentworks
  # One line of the journal, after the first, is a record: a hash with `session` and members of which each says one thing, and a record may
  # say several. `epoch` begins a session; the members that come with it say where its streams stood then.
  module JournalRecord
    count = ->(value) { value.is_a?(Integer) && value >= 0 }
    text = ->(value) { value.is_a?(String) }
    uuid = Protocol::Ids.method(:uuid?)
    order = lambda do |value|
      decoded = Protocol::Codec.decode_broker_line(JSON.generate(value))
      decoded.is_a?(Hash) && %w[TASK_REQUEST TASK_CANCEL].include?(decoded['type'])
    end

    MEMBERS = {
      'session' => uuid,
      'epoch' => text,
      'peer' => Protocol::Ids.method(:agent?),
      # Messages that were sent in it before.
      'messages' => count,
      # Messages of the peer's through this may have been taken in a life that kept no journal.
      'redelivered' => count,
      # Tasks that this agent asked for and that have no response.
      'requested' => ->(value) { value.is_a?(Array) && value.all?(&uuid) },
      # Who closed it, and with which words. From then on this agent has no more to say in it.
      'closing' => ->(value) { value.is_a?(Hash) && text.call(value['reason']) && [true, false].include?(value['own']) },
      # The exact wire line of one work envelope, queued as the next of this end's stream.
      'line' => text,
      # The broker has everything through this. It only allows to forget, and may be late.
      'stored' => count,
      # The application has taken everything through this …
      'taken' => count,
      # … and this one, though not all that came before it.
      'ahead' => count,
      # A TASK_REQUEST whose handler starts, or the TASK_CANCEL of such a task. It is kept until the task's response is queued.
      'task' => order,
      # A task of `requested` that has got its response, or never will.
      'answered' => uuid,
      # The peer's SESSION_CLOSE was taken: its reason.
      'closed' => text,
      # The session has ended, and everything about it can be forgotten.
      'ended' => ->(value) { value == true }
    }.freeze

    module_function

    # A record has no member that this version does not know: what is not understood may have mattered.
    def valid?(value)
      value.key?('session') && value.key?('epoch') == value.key?('peer') &&
        value.all? { |name, member| MEMBERS.key?(name) && MEMBERS[name].call(member) }
    end

    # With its line break.
    def line_of(record)
      "#{JSON.generate(record)}\n"
    end
  end

  # A task whose handler had started: its TASK_REQUEST, and its TASK_CANCEL if there was one.
  StartedTask = Struct.new(:request, :cancel)

  # One session, as its records leave it.
  class SessionMemory
    # A line of this end's that the broker may not have; `task_id` of a task's envelope.
    Queued = Struct.new(:line, :type, :task_id)
    private_constant :Queued

    attr_reader :session, :peer, :epoch, :redelivered, :messages, :taken, :stored, :closing
    # Sets, as hashes: numbers that were taken before what precedes them; ids of tasks without a response.
    attr_reader :ahead, :requested
    # @return [Hash{String => StartedTask}]
    attr_reader :tasks

    def initialize(record)
      @session, @epoch, @peer, @closing = record.values_at('session', 'epoch', 'peer', 'closing')
      @messages, @redelivered, @taken, @stored = record.values_at('messages', 'redelivered', 'taken', 'stored').map(&:to_i)
      @requested = (record['requested'] || []).to_h { |task_id| [task_id, true] }
      @ahead = {}
      @tasks = {}
      @lines = []
      # Of `messages`, those whose lines are kept.
      @messages_kept = 0
    end

    # The number of the line that is queued next.
    def next
      @stored + @lines.size + 1
    end

    # @return [Protocol::Remembered] what the core goes on with
    def remembered
      Protocol::Remembered.new(
        session_id: @session, peer: @peer, epoch: @epoch, taken: @taken, stored: @stored, lines: @lines.map(&:line), closing: !@closing.nil?
      )
    end

    def apply(record)
      queue(record['line']) if record['line']
      forget(record['stored'] || 0)
      @ahead[record['ahead']] = true if record['ahead']
      take(record['taken'] || 0)
      order(record['task']) if record['task']
      @requested.delete(record['answered']) if record['answered']
      close('reason' => record['closed'], 'own' => false) if record['closed']
    end

    # The fewest records that leave it as it is.
    # @return [Enumerator<Hash>]
    def records
      return to_enum(:records) unless block_given?

      yield base
      @ahead.each_key { |seq| yield({ 'session' => @session, 'ahead' => seq }) }
      @lines.each { |queued| yield({ 'session' => @session, 'line' => queued.line }) }
      # Answered before it was stored, as far as is known here.
      @lines.each do |queued|
        next if queued.type != 'TASK_REQUEST' || @requested.key?(queued.task_id)

        yield({ 'session' => @session, 'answered' => queued.task_id })
      end
      @tasks.each_value do |task|
        yield({ 'session' => @session, 'task' => task.request })
        yield({ 'session' => @session, 'task' => task.cancel }) if task.cancel
      end
    end

    private

    def base
      record = {
        'session' => @session, 'peer' => @peer, 'epoch' => @epoch, 'taken' => @taken, 'stored' => @stored,
        'messages' => @messages - @messages_kept, 'redelivered' => @redelivered, 'requested' => @requested.keys
      }
      @closing ? record.merge('closing' => @closing) : record
    end

    def forget(stored)
      while @stored < stored && !@lines.empty?
        @stored += 1
        @messages_kept -= 1 if @lines.shift.type == 'MESSAGE'
      end
    end

    def take(taken)
      return unless taken > @taken

      @taken = taken
      @ahead.delete_if { |seq, _| seq <= taken }
    end

    def queue(line)
      type, task_id, reason = head_of(line)
      @lines << Queued.new(line, type, task_id)
      case type
      when 'MESSAGE'
        @messages += 1
        @messages_kept += 1
      when 'TASK_REQUEST' then @requested[task_id] = true
      when 'TASK_RESPONSE' then @tasks.delete(task_id)
      when 'SESSION_CLOSE' then close('reason' => reason || 'closed', 'own' => true)
      end
    end

    # Most lines are messages, and of a message no more is needed: as the SDKs write them they are not parsed again.
    def head_of(line)
      return ['MESSAGE', nil, nil] if line.start_with?('{"type":"MESSAGE"')

      head = JSON.parse(line)
      data = head['data'] || {}
      [head['type'], data['task_id'], data['reason']]
    end

    def order(order)
      task_id = order['data']['task_id']
      if order['type'] == 'TASK_REQUEST' then @tasks[task_id] = StartedTask.new(order, nil)
      elsif @tasks.key?(task_id) then @tasks[task_id].cancel = order
      end
    end

    # No response can be sent any more, and none will come.
    def close(closing)
      @closing ||= closing
      @tasks.clear
      @requested.clear
    end
  end

  # Every session of an agent that has not ended.
  class JournalMemory
    VERSION = 1
    private_constant :VERSION

    # @return [Array(String, String), nil] agent and account
    attr_accessor :owner
    # @return [Hash{String => SessionMemory}]
    attr_reader :sessions

    # What a journal remembers. A last line without its line break was never written to its end, and nothing had come of it: it is left out.
    # @param name [String] how to call it in an error
    # @raise [Error] :journal_damaged, for any other line that cannot be read
    def self.read(text, name)
      memory = new
      text.b.each_line.with_index do |line, number|
        break unless line.end_with?("\n")
        next if memory.read_line(line.chomp.force_encoding(Encoding::UTF_8), number)

        raise Errors.client(
          :journal_damaged,
          "Line #{number + 1} of the journal #{name} cannot be read. Restore the file, or move it away: the agent then goes on as one " \
          'without a journal, and what it had not said yet is lost.'
        )
      end
      memory
    end

    def initialize
      @owner = nil
      @sessions = {}
    end

    # @return [Boolean] false: it is about a session that is not remembered (any more), and there is nothing to write
    def apply(record)
      session = record['session']
      if record['epoch']
        @sessions[session] = SessionMemory.new(record)
        return true
      end
      memory = @sessions[session]
      return false if memory.nil?

      record['ended'] ? @sessions.delete(session) : memory.apply(record)
      true
    end

    # @return [String] the first line
    def head
      @owner.nil? ? '' : "#{JSON.generate('journal' => VERSION, 'agent' => @owner[0], 'account' => @owner[1])}\n"
    end

    # The lines of a journal that says the same, and no more than is needed.
    # @return [Enumerator<String>]
    def text
      return to_enum(:text) unless block_given?

      yield head
      @sessions.each_value { |session| session.records.each { |record| yield JournalRecord.line_of(record) } }
    end

    # @api private
    # @return [Boolean] whether it could be read
    def read_line(line, number)
      value = JSON.parse(line)
      return false unless value.is_a?(Hash) && line.valid_encoding?
      return JournalRecord.valid?(value) && fits?(value) && apply(value) if number.positive?

      version, agent, account = value.values_at('journal', 'agent', 'account')
      return false unless version == VERSION && agent.is_a?(String) && account.is_a?(String)

      @owner = [agent, account]
      true
    rescue JSON::ParserError, EncodingError
      false
    end

    private

    # Whether a record can follow those before it.
    def fits?(record)
      memory = @sessions[record['session']]
      return memory.nil? && !record.key?('line') if record.key?('epoch')
      return false if memory.nil? || (record['stored'] || 0) >= memory.next
      return true unless record.key?('line')

      head = JSON.parse(record['line'])
      Protocol::Envelope.work?(head) && head['session_id'] == record['session'] && head['seq'] == memory.next
    end
  end
end
