# frozen_string_literal: true

require_relative 'error'
require_relative 'journal_records'
require_relative 'protocol/limits'

module Agentworks
  # The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before anything that depends on it
  # leaves the process. What the records mean is in `journal_records.rb`; when they are made, in `session_journal.rb`.
  # Everything here happens with the lock held.
  class Journal
    NOBODY_ELSE = 0o600
    CHUNK_BYTES = 1024 * 1024
    private_constant :NOBODY_ELSE, :CHUNK_BYTES

    # @return [JournalMemory]
    attr_reader :memory

    # Reads what earlier lives wrote, and begins a file of its own with what is left of that.
    # @raise [Error] :journal_damaged, :journal_failed
    def initialize(path)
      @path = path
      @file = nil
      @bytes = 0
      # It is looked at whether rewriting it is worth while when it has grown past this.
      @bytes_max = 0
      @unwritten = []
      @memory = JournalMemory.read(read, path)
      rewrite
    rescue SystemCallError, IOError => e
      raise failure(e)
    end

    # @yieldparam error [Error] told once, when the file fails: from then on nothing may leave the process
    def on_failure(&block)
      @on_failure = block
    end

    # The broker has said who this is.
    # @return [Error, nil] journal_mismatch when the journal is another's
    def claim(agent, account)
      owner = @memory.owner
      if owner.nil?
        @memory.owner = [agent, account]
        @unwritten << @memory.head
        nil
      elsif owner != [agent, account]
        Errors.client(
          :journal_mismatch,
          "The journal #{@path} is that of #{owner[0]} (account #{owner[1]}), and this is #{agent} (account #{account}). Give each agent " \
          'a journal of its own.'
        )
      end
    end

    # It is remembered, and written with the next commit.
    def note(record)
      @unwritten << JournalRecord.line_of(record) if @file && @memory.apply(record)
    end

    # Writes what was noted.
    # @return [Boolean] false: it is not written, and nothing that depends on it may happen
    def commit
      return false if @file.nil?
      return true if @unwritten.empty?

      @bytes += write_all(@file, @unwritten.join)
      @unwritten.clear
      compact if @bytes > @bytes_max
      true
    rescue SystemCallError, IOError, Error => e
      release
      @on_failure&.call(e.is_a?(Error) ? e : failure(e))
      false
    end

    # What was noted is written; what comes later is not kept.
    def close
      commit
      release
    end

    private

    def read
      File.binread(@path)
    rescue Errno::ENOENT
      ''
    end

    def failure(cause)
      Errors.client(
        :journal_failed, "The journal #{@path} cannot be read or written (#{cause.message}). Its folder must exist and have room."
      )
    end

    # All of it, or it raises: a short write is not an error to the operating system.
    def write_all(file, text)
      rest = text.b
      rest = rest.byteslice(file.syswrite(rest)..) until rest.empty?
      text.bytesize
    end

    def release
      @file&.close
      @file = nil
    end

    def compact
      live = @memory.text.sum(&:bytesize)
      rewrite if live * 2 <= @bytes
      @bytes_max = [Protocol::Limits::JOURNAL_BYTES_MIN, live * 2].max
    end

    # Renaming leaves the whole old file or the whole new one, and another process that still has the old one alone with it.
    def rewrite
      raise Errors.client(:superseded, "Another process has opened the journal #{@path}.") if taken?

      fresh = "#{@path}.new"
      file = File.open(fresh, File::WRONLY | File::CREAT | File::TRUNC, NOBODY_ELSE)
      bytes = write_memory(file)
      file.fsync
      File.rename(fresh, @path)
      release
      @file = file
      @bytes = bytes
      @bytes_max = [Protocol::Limits::JOURNAL_BYTES_MIN, bytes * 2].max
    rescue SystemCallError, IOError
      file&.close
      raise
    end

    def write_memory(file)
      bytes = 0
      chunk = String.new
      @memory.text do |line|
        chunk << line.b
        next if chunk.bytesize < CHUNK_BYTES

        bytes += write_all(file, chunk)
        chunk = String.new
      end
      bytes + write_all(file, chunk)
    end

    # Whether the file by that name is not the one that is open here. One that is gone is made again.
    def taken?
      @file && File.stat(@path).ino != @file.stat.ino
    rescue Errno::ENOENT
      false
    end
  end
end
