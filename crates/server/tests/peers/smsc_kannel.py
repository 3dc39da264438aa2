# Kannel's own SMSC for tests, `drive_smpp` of Debian's package `kannel-extras`:
#   smsc_kannel.py MESSAGES       so many messages go to the receiver
# It takes a transmitter and a receiver (no transceiver). It tells as JSON lines on standard output: "listening"; "handled",
# the type of each PDU that it gets; "submit", a text. It ends when its standard input closes.
import ctypes, json, re, signal, socket, subprocess, sys, threading, time


def tell(**what):
    print(json.dumps(what), flush=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


# It ends if nothing listens where it expects Kannel's bearerbox; what does may be that of another of these.
try:
    bearerbox = socket.create_server(("127.0.0.1", 13001))
except OSError:
    pass
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
kannel = subprocess.Popen(
    ["/usr/lib/kannel/test/drive_smpp", "-p", str(port), "-m", sys.argv[1], "-v", "0"],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=die_with_parent, text=True,
    errors="replace")


def listen():
    for line in kannel.stderr:
        if found := re.search("Handling SMPP PDU of type (.*)", line):
            tell(handled=found[1])
        elif found := re.search("submit_sm: short_message = <(.*)>", line):
            tell(submit=found[1])


def listening():
    """Whether it listens; a connection would be taken for that of an ESME, whose end ends it."""
    with open("/proc/net/tcp") as file:
        return f":{port:04X} 00000000:0000 0A" in file.read()


while not listening():
    time.sleep(0.02)
    if kannel.poll() is not None:
        sys.exit("drive_smpp does not start")
tell(listening=port)
threading.Thread(target=listen, daemon=True).start()
sys.stdin.read()
kannel.kill()
