// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0

// pion as one side of ICE, by the lines of tests/natlab/ice_peers.py.
//
// usage: pion_peer controlling|controlled ADDRESS|- STUN_HOST:PORT|- TURN_HOST:PORT|- USER PASSWORD all|relay
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/pion/ice/v2"
)

type fields map[string]interface{}

var output sync.Mutex

// The clock that all programs of the machine share; Go has no name for it.
func now() float64 {
	var at syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return float64(at.Sec) + float64(at.Nsec)/1e9
}

func say(event string, line fields) {
	line["event"], line["at"] = event, now()
	text, _ := json.Marshal(line)
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func server(text string, scheme ice.SchemeType) *ice.URL {
	address, err := net.ResolveUDPAddr("udp", text)
	check(err)
	return &ice.URL{Scheme: scheme, Host: address.IP.String(), Port: address.Port, Proto: ice.ProtoTypeUDP}
}

func main() {
	controlling, address, stunServer, turnServer, policy := os.Args[1] == "controlling", os.Args[2], os.Args[3], os.Args[4],
		os.Args[7]
	config := &ice.AgentConfig{
		NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4},
		IPFilter:     func(ip net.IP) bool { return address == "-" || ip.String() == address },
	}
	if stunServer != "-" {
		config.Urls = append(config.Urls, server(stunServer, ice.SchemeTypeSTUN))
	}
	if turnServer != "-" {
		relay := server(turnServer, ice.SchemeTypeTURN)
		relay.Username, relay.Password = os.Args[5], os.Args[6]
		config.Urls = append(config.Urls, relay)
	}
	if policy == "relay" {
		config.CandidateTypes = []ice.CandidateType{ice.CandidateTypeRelay}
	}
	agent, err := ice.NewAgent(config)
	check(err)
	role := map[bool]string{true: "controlling", false: "controlled"}[controlling]
	check(agent.OnCandidate(func(candidate ice.Candidate) {
		if candidate == nil {
			say("end-of-candidates", fields{})
		} else {
			say("candidate", fields{"line": "a=candidate:" + candidate.Marshal()})
		}
	}))
	check(agent.OnConnectionStateChange(func(state ice.ConnectionState) {
		switch state {
		case ice.ConnectionStateConnected:
			say("state", fields{"state": "completed", "role": role})
		case ice.ConnectionStateDisconnected:
			say("lost", fields{})
		default:
			say("state", fields{"state": strings.ToLower(state.String()), "role": role})
		}
	}))
	check(agent.OnSelectedCandidatePairChange(func(local, remote ice.Candidate) {
		say("selected", fields{
			"local_type": local.Type().String(), "remote_type": remote.Type().String(),
			"local":  fmt.Sprintf("%s:%d", local.Address(), local.Port()),
			"remote": fmt.Sprintf("%s:%d", remote.Address(), remote.Port()),
		})
	}))
	describe := func() {
		fragment, password, err := agent.GetLocalUserCredentials()
		check(err)
		say("description", fields{"ufrag": fragment, "pwd": password})
		check(agent.GatherCandidates())
	}
	describe()

	var remoteFragment, remotePassword string
	var connection *ice.Conn
	var connected sync.Mutex
	begin := func() {
		start := agent.Accept
		if controlling {
			start = agent.Dial
		}
		made, err := start(context.Background(), remoteFragment, remotePassword)
		if err != nil {
			return
		}
		connected.Lock()
		connection = made
		connected.Unlock()
		buffer := make([]byte, 2048)
		for {
			size, err := made.Read(buffer)
			if err != nil {
				return
			}
			say("received", fields{"text": string(buffer[:size]), "octets": size})
		}
	}
	begun, settled := false, false // settled: other credentials of the peer are its restart, no answer
	takeCredentials := func() {
		if !begun {
			begun = true
			go begin()
		} else {
			if settled {
				check(agent.Restart("", ""))
			}
			check(agent.SetRemoteCredentials(remoteFragment, remotePassword))
			if settled {
				describe()
			}
		}
		settled = true
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() && input.Text() != "close" {
		line := input.Text()
		value := line[strings.Index(line, ":")+1:]
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			remoteFragment = value
		case strings.HasPrefix(line, "a=ice-pwd:"):
			remotePassword = value
			takeCredentials()
		case strings.HasPrefix(line, "a=candidate:"):
			candidate, err := ice.UnmarshalCandidate(value)
			if err != nil {
				say("unused", fields{"text": value})
			} else {
				check(agent.AddRemoteCandidate(candidate))
			}
		case strings.HasPrefix(line, "send "):
			connected.Lock()
			if connection != nil {
				connection.Write([]byte(line[len("send "):]))
			}
			connected.Unlock()
		case line == "restart":
			check(agent.Restart("", ""))
			settled = false
			describe()
		}
	}
	agent.Close()
}
