# frozen_string_literal: true

# npm run test:ruby: every test of the Ruby SDK, on a real broker. Arguments go to minitest (`-- -n /cancel/`).
{ 'websocket' => 'gem install websocket (Debian: apt-get install ruby-websocket)',
  'minitest' => 'gem install minitest (Debian: apt-get install ruby-minitest)' }.each do |library, command|
  require library
rescue LoadError
  abort "The tests of the Ruby SDK need the gem #{library}: #{command}."
end

Dir[File.join(__dir__, '*_test.rb')].sort.each { |file| require file }
