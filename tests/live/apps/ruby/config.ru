# A shop behind Puma or Unicorn, which can be asked to fail as its worker.
run lambda { |env|
  case env['PATH_INFO']
  when '/raise' then raise 'no such order'
  when '/exit' then Process.exit!(3)
  when '/stuck' then Process.kill(:STOP, Process.pid)
  when '/crash'
    Process.kill(:SEGV, Process.pid)
    sleep # An answer would be logged in the middle of what the interpreter prints.
  end
  [200, { 'Content-Type' => 'text/plain' }, ["ok\n"]]
}
