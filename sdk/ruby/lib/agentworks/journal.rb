# frozen_string_literal: true

require_relative 'error'
require_relative 'journal_records'
require_relative 'protocol/limits'

module Agentworks
  # The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before anything that depends on it
  # leaves the process. Until the broker has said who this is the file is only read: it may be another process's. What the records mean is in
  # `journal_records.rb`; when they are made, in `session_journal.rb`.
  # Everything here happens with the lock held.
  class Journal
    NOBODY_ELSE = 0o600
    CHUNK_BYTES = 1024 * 1024
    private_constant :NOBODY_ELSE, :CHUNK_BYTES

    # @return [JournalMemory] what the file said when it was claimed, and all that was noted since
    attr_reader :memory

    # Reads what earlier lives wrote, and changes nothing before `claim`.
    # @raise [Error] :journal_damaged, :journal_failed
    def initialize(path)
      @path = path
      # nil: not claimed yet, closed, or failed.
      @file = nil
      @over = false
      @bytes = 0
      # It is looked at whether rewriting it is worth while when it has grown past this.
      @bytes_max = 0
      @unwritten = []
      # Tells the file that was read from what came of it; []: there was none.
      @read = nil
      # A link to the file stays one, and leads to the file that is written.
      @path = File.realdirpath(path)
      need_folder(File.dirname(@path))
      refresh
    rescue SystemCallError, IOError => e
      raise failure(e)
    end

    # @yieldparam error [Error] told once, when the file fails: from then on nothing may leave the process
    def on_failure(&block)
      @on_failure = block
    end

    # The broker has said who this is: now the file is this process's, and begun anew with what is left of what it says.
    # @return [Error, nil] why it cannot be: journal_mismatch when it is another agent's, journal_damaged, journal_failed
    def claim(agent, account)
      return Errors.client(:agent_closed) if @over

      @file ? be_in_place : refresh
      own([agent, account])
      rewrite if @file.nil?
      nil
    rescue SystemCallError, IOError, Error => e
      e.is_a?(Error) ? e : failure(e)
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
      # What was written to a file that has no name any more, no life after this one reads.
      be_in_place if @file.stat.nlink.zero?
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
      @over = true
      release
    end

    private

    def need_folder(path)
      File.stat(path)
      raise Errno::EACCES, path unless File.writable?(path)
    end

    # Reads the file, where it is not as it was read before.
    def refresh
      there = stat
      read = there.nil? ? [] : [there.dev, there.ino, there.size, there.mtime]
      return if read == @read

      @memory = JournalMemory.read(there.nil? ? '' : File.binread(@path), @path)
      @read = read
    end

    # @return [File::Stat, nil] of the file by that name
    def stat
      File.stat(@path)
    rescue Errno::ENOENT
      nil
    end

    def own(owner)
      its = @memory.owner
      if its && its != owner
        raise Errors.client(
          :journal_mismatch,
          "The journal #{@path} is that of #{its[0]} (account #{its[1]}), and this is #{owner[0]} (account #{owner[1]}). Give each agent " \
          'a journal of its own.'
        )
      end
      @memory.owner = owner
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
      be_in_place if @file

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

    # Raises where the file by that name is not the one that is open here.
    def be_in_place
      here = @file.stat
      there = stat
      return if there && [there.dev, there.ino] == [here.dev, here.ino]

      raise Errors.client(
        :journal_failed,
        "The journal #{@path} was replaced or taken away while this process wrote it. A journal belongs to one process at a time."
      )
    end
  end
end
