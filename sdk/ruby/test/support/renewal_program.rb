# frozen_string_literal: true

# Replaces the files of an agent by one of several identities, again and again, and says a line for each time. To be killed.
#   ruby renewal_program.rb CERTIFICATE KEY FOLDER…   each FOLDER has cert.pem and key.pem
require_relative '../../lib/agentworks'

certificate, key, *folders = ARGV
files = Agentworks::Certificates::Files.new(certificate, key)
identities = folders.map do |folder|
  Agentworks::Certificates::Identity.new(*%w[cert.pem key.pem].map { |name| File.read(File.join(folder, name)) })
end
loop do
  identities.each do |identity|
    files.write(identity)
    $stdout.syswrite("written\n")
  end
end
