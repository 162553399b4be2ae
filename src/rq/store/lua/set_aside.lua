--- set_aside: an id that was taken off a list cannot be worked on, and is kept out of the way of the next.
--- from none
--- to none
--- keys job
--- args now queue id why
--- gives ok
--- include now aside
set_aside(ARGV[2], ARGV[3], ARGV[4])
return 'ok'
