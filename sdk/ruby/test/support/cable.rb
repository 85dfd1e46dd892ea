# frozen_string_literal: true

require 'socket'

# A cable between an agent and the broker, to be pulled: forwards TCP, and cuts what is open as a failing network would.
class Cable
  attr_reader :port

  def initialize(target)
    @target = target
    @port = 0
    @pairs = []
    @lock = Mutex.new
    @frozen = false
    @thawed = ConditionVariable.new
    plug_in
  end

  def plug_in
    @server = TCPServer.new('127.0.0.1', @port)
    @port = @server.addr[1]
    @thread = Thread.new { accept }
  end

  # Nobody answers any more, and what was open is cut.
  def unplug
    @server.close
    @thread.join
    cut
  end

  # Cuts what is open.
  # @return [Integer] how many there were
  def cut
    pairs = @lock.synchronize { @pairs.slice!(0..) }
    pairs.each { |pair| pair.each { |socket| hang_up(socket) } }
    pairs.length
  end

  def open_count
    @lock.synchronize { @pairs.count { |pair| pair.none?(&:closed?) } }
  end

  # Nothing passes any more, and nothing says so.
  def freeze_traffic
    @lock.synchronize { @frozen = true }
  end

  def thaw_traffic
    @lock.synchronize do
      @frozen = false
      @thawed.broadcast
    end
  end

  def close
    thaw_traffic
    unplug
  end

  private

  def accept
    loop do
      near = @server.accept
      far = TCPSocket.new('127.0.0.1', @target)
      @lock.synchronize { @pairs << [near, far] }
      Thread.new { forward(near, far) }
      Thread.new { forward(far, near) }
    end
  rescue IOError, SystemCallError
    # The cable was closed.
  end

  def forward(from, to)
    loop do
      bytes = from.readpartial(65_536)
      @lock.synchronize { @thawed.wait(@lock) while @frozen }
      to.write(bytes)
    end
  rescue IOError, SystemCallError
    [from, to].each { |socket| hang_up(socket) }
  end

  def hang_up(socket)
    socket.close
  rescue IOError, SystemCallError
    # It is closed already.
  end
end
