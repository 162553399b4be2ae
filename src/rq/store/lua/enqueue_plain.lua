--- enqueue_plain: a new job that has no more than most others enters its queue.
--- from none
--- to queued
--- keys list
--- args now queue timeout by second created_at id description data
--- gives ok already, and the time in us
--- first plain_entry
--- include now
return enter_plain(now_text, now_us)
