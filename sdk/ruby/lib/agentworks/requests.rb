# frozen_string_literal: true

require 'json'
require 'time'
require_relative 'content'
require_relative 'error'
require_relative 'protocol/ids'
require_relative 'protocol/limits'
require_relative 'task'

module Agentworks
  # The tasks of one session that this agent asked for: from TASK_REQUEST to the one outcome of each. With the lock held.
  class Requests
    REASON_CHARS_MAX = 1024
    private_constant :REASON_CHARS_MAX

    # @param say [#call] queues an envelope, as Outgoing#say
    def initialize(lock, mint, &say)
      @lock = lock
      @mint = mint
      @say = say
      @open = {}
    end

    # What a request says. Judged before it costs a `seq`, and without the lock: it may be long.
    # @return [Array(String, String)] capability, and what follows it in `data`
    # @raise [Error] :invalid_argument, :envelope_too_large, :too_deep
    def self.request_text(capability, input, task_id, deadline_ms)
      unless Protocol::Ids.capability?(capability)
        raise Errors.client(:invalid_argument, "#{capability.inspect} is no name of a capability: #{CAPABILITY_SHAPE}.")
      end
      unless task_id.nil? || Protocol::Ids.uuid?(task_id)
        raise Errors.client(:invalid_argument, "task_id: #{task_id.inspect} is no lower-case UUIDv7.")
      end

      "\"capability\":\"#{capability}\",\"input\":#{Content.json_of(input)}#{deadline_in(deadline_ms)}"
    end

    CAPABILITY_SHAPE = '1–128 of a–z 0–9 . _ - and it starts with a letter or digit'

    def self.deadline_in(deadline_ms)
      return '' if deadline_ms.nil?

      max = Protocol::Limits::DEADLINE_MS_MAX
      unless deadline_ms.is_a?(Numeric) && deadline_ms >= 0 && deadline_ms <= max
        raise Errors.client(:invalid_argument, "deadline_ms: is 0 to #{max} milliseconds.")
      end
      ",\"deadline\":\"#{(Time.now.utc + (deadline_ms / 1000.0)).iso8601(3)}\""
    end
    private_class_method :deadline_in

    # @param text [String] of `request_text`
    # @param performing [Integer] tasks of the session that this agent performs: both kinds share the broker's bound (L9)
    # @return [Task]
    # @raise [Error] :too_many_tasks, :resource_exhausted, or why the session takes nothing any more
    def ask(text, task_id, performing)
      id = task_id || @mint.call
      return @open[id] if @open.key?(id)
      raise Errors.wire(:too_many_tasks) if @open.size + performing >= Protocol::Limits::OPEN_TASKS_MAX

      task = Task.new(@lock, id) { |reason| cancel(id, reason) }
      task.asked(@say.call('TASK_REQUEST', "{\"task_id\":\"#{id}\",#{text}}"))
      @open[id] = task
    end

    # The broker may have refused these, and nobody heard it: the same task asked for again is not run twice (A11).
    # @param requests [Array<String>] `data`, as JSON text
    def ask_again(requests)
      requests.each do |data|
        task = @open[JSON.parse(data)['task_id']]
        task.request_id = @say.call('TASK_REQUEST', data, bounded: false).id if task
      rescue Error
        # The session is closing: the task ends with it.
      end
    end

    def progress(data)
      @open[data['task_id']]&.progress&.push(data['progress'])
    end

    def response(data)
      @open.delete(data['task_id'])&.respond(data)
    end

    # The broker refused something.
    # @return [String, nil] when it was the request of a task, which has failed by that, its id. What was not processed is no refusal: it
    #   will be sent again with the next attachment.
    def refused(fault)
      return nil unless fault['data']['processed'] == 'yes' && fault['in_reply_to']

      task = @open.each_value.find { |one| one.request_id == fault['in_reply_to'] }
      return nil if task.nil?

      @open.delete(task.id).fail_with(Errors.from(fault['data']))
      task.id
    end

    def fail_with(error)
      tasks = @open.values
      @open.clear
      tasks.each { |task| task.fail_with(error) }
    end

    private

    def cancel(task_id, reason)
      return unless @open.key?(task_id)

      data = { 'task_id' => task_id }
      data['reason'] = Content.text_of(reason, REASON_CHARS_MAX) if reason
      @say.call('TASK_CANCEL', JSON.generate(data), bounded: false)
    rescue Error
      # The session is closing: the task ends with it.
    end
  end
end
