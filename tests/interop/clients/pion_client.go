// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0

// pion's TURN client: an allocation, and 20 datagrams of several sizes to a peer that echoes.
//
// usage: pion_client udp|tcp|tls SERVER:PORT CA_FILE USER PASSWORD REALM PEER:PORT
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v2"
)

func check(what string, err error) {
	if err != nil {
		fmt.Println(what+":", err)
		os.Exit(1)
	}
}

func connect(transport, server, authority string) net.PacketConn {
	switch transport {
	case "udp":
		conn, err := net.ListenPacket("udp", "0.0.0.0:0")
		check("listen", err)
		return conn
	case "tcp":
		conn, err := net.Dial("tcp", server)
		check("connect", err)
		return turn.NewSTUNConn(conn)
	default:
		text, err := os.ReadFile(authority)
		check("authority", err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		conn, err := tls.Dial("tcp", server, &tls.Config{RootCAs: pool, ServerName: "turn.example.org"})
		check("TLS", err)
		return turn.NewSTUNConn(conn)
	}
}

func main() {
	transport, server, authority := os.Args[1], os.Args[2], os.Args[3]
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server,
		TURNServerAddr: server,
		Conn:           connect(transport, server, authority),
		Username:       os.Args[4],
		Password:       os.Args[5],
		Realm:          os.Args[6],
		LoggerFactory:  logging.NewDefaultLoggerFactory(),
	})
	check("client", err)
	check("listen", client.Listen())
	mapped, err := client.SendBindingRequest()
	check("binding", err)
	fmt.Println("mapped", mapped)
	relayed, err := client.Allocate()
	check("allocate", err)
	fmt.Println("relayed", relayed.LocalAddr())

	peer, err := net.ResolveUDPAddr("udp", os.Args[7])
	check("peer", err)
	buffer := make([]byte, 2048)
	// Over TCP its framing waits for a ninth octet: ChannelData of up to four stays where it is.
	least := map[string]int{"udp": 1, "tcp": 5, "tls": 5}[transport]
	for i := 0; i < 20; i++ {
		payload := bytes.Repeat([]byte{byte(i)}, least+i*61)
		_, err = relayed.WriteTo(payload, peer)
		check("send", err)
		check("deadline", relayed.SetReadDeadline(time.Now().Add(5*time.Second)))
		size, from, err := relayed.ReadFrom(buffer)
		check(fmt.Sprintf("receive number %d", i), err)
		if from.String() != peer.String() || !bytes.Equal(buffer[:size], payload) {
			fmt.Println("another datagram came back, from", from)
			os.Exit(1)
		}
	}
	check("close", relayed.Close())
	client.Close()
	fmt.Println("done")
}
