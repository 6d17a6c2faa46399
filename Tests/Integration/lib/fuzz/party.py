# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""One side of a comparison: a connection that knows how many replies it is owed, and keeps them as they came."""

import socket
import struct

from ..wire import CANCEL_REQUEST, dial, error_fields, message, startup

#: Which messages complete each thing asked for; see `Item.asked`.
_COMPLETES = {"P": b"1", "B": b"2", "C": b"3", "s": b"Tn", "D": b"Tn", "E": b"CIs", "S": b"Z", "Q": b"Z", "F": b"Z"}
_EXTENDED = frozenset("PBCsDE")
_ERROR, _PARAMETER, _READY = ord("E"), ord("S"), ord("Z")


class Lost(Exception):
    """The other side closed the connection, or said nothing for too long; `frames` is what came before."""

    def __init__(self, why, frames):
        super().__init__(why)
        self.frames = frames


class Party:
    """`parameters` is the state of the reported settings after the last reply."""

    def __init__(self, address, given, patience=15):
        self.address = address
        self.stream = dial(address, patience)
        self.buffer = bytearray()
        self.owed, self.skipping = "", False
        self.parameters, self.key, self.refusal = {}, None, None
        self.send(startup(given), "Q")
        try:
            greeting = self.replies()
        except Lost as lost:
            greeting = lost.frames
        for frame in greeting:
            if frame[:1] == b"K":
                self.key = frame[5:]
            elif frame[:1] == b"E":
                self.refusal = error_fields(frame[5:])

    def send(self, data, asked):
        if self.skipping:
            # Since an error in the extended protocol the server ignores all messages until Sync.
            at = asked.find("S")
            self.skipping, asked = at < 0, asked[at:] if at >= 0 else ""
        self.owed += asked
        try:
            self.stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # What was said before the end is still to be read.

    def replies(self):
        """Whole messages up to the last one that is owed, without ParameterStatus."""
        owed, index, frames = self.owed, 0, []
        buffer, at = self.buffer, 0
        while index < len(owed):
            while len(buffer) - at < 5 or len(buffer) - at < (
                    size := 1 + int.from_bytes(buffer[at + 1:at + 5], "big")):
                del buffer[:at]
                at = 0
                buffer += self._more(frames)
            kind, end = buffer[at], at + size
            if kind == _PARAMETER:
                name, value, _ = bytes(buffer[at + 5:end]).split(b"\0")
                self.parameters[name] = value
            else:
                frames.append(bytes(buffer[at:end]))
                wanted = owed[index]
                if kind == _ERROR:
                    if wanted in _EXTENDED:
                        index = owed.find("S", index)
                        if index < 0:
                            self.skipping = True
                            break
                elif kind in _COMPLETES[wanted]:
                    index += 1
            at = end
        else:
            del buffer[:at]
            self.owed = ""
            return frames
        del buffer[:end]
        self.owed = ""
        return frames

    def _more(self, frames):
        try:
            data = self.stream.recv(1 << 17)
        except TimeoutError:
            raise Lost("no answer", frames) from None
        except OSError as error:
            raise Lost(f"closed: {error.strerror}", frames) from None
        if not data:
            raise Lost("closed", frames)
        return data

    def cancel(self):
        """Sends a cancel request for this connection and waits until it was passed on."""
        with dial(self.address, 5) as stream:
            stream.sendall(message(b"", struct.pack("!I", CANCEL_REQUEST) + self.key))
            try:
                stream.recv(1)
            except OSError:
                pass

    def close(self):
        try:
            self.stream.sendall(message(b"X"))
            self.stream.shutdown(socket.SHUT_WR)
            # The server is gone when it closes: then the next program finds nothing of this one.
            while self.stream.recv(65536):
                pass
        except OSError:
            pass
        self.stream.close()
