# frozen_string_literal: true

# Every test of the Ruby SDK (npm run test:ruby).
Dir[File.join(__dir__, '*_test.rb')].sort.each { |file| require file }
