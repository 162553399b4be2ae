"""What watches over running jobs: one clock thread, the command channel, and the gate that makes forking safe."""
