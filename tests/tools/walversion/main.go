// Command walversion reads lines of "<entry type> <data in hex>" and writes, for each, the oldest etcd that etcd's own
// code says understands such an entry of the log: a version, "none", or "panic" and why.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		data, err := hex.DecodeString(text)
		if err != nil {
			log.Fatal(err)
		}
		var number int32
		if _, err := fmt.Sscan(kind, &number); err != nil {
			log.Fatal(err)
		}
		fmt.Fprintln(out, version(raftpb.EntryType(number), data))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func version(kind raftpb.EntryType, data []byte) (said string) {
	defer func() {
		if reason := recover(); reason != nil {
			said = strings.ReplaceAll(fmt.Sprintf("panic: %v", reason), "\n", " ")
		}
	}()
	found := wal.MinimalEtcdVersion([]*raftpb.Entry{{Type: &kind, Data: data}})
	if found == nil {
		return "none"
	}
	return found.String()
}
