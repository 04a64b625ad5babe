/** The package has a native module that a peer in a local network does not need; webtorrent imports these names. */
class NotHere {
  constructor() {
    throw new Error('Cannot use WebRTC: webrtc-polyfill is replaced by a package without it');
  }
}

export { NotHere as RTCIceCandidate, NotHere as RTCPeerConnection, NotHere as RTCSessionDescription };
