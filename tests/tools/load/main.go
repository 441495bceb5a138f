// Command load fills an etcd server with put after put, each a revision of its own, for the benchmarks.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	endpoint := flag.String("endpoint", "", "client URL of the server")
	puts := flag.Int("puts", 0, "how many puts, each a revision")
	keys := flag.Int("keys", 1, "how many distinct keys they go to, in turn")
	valueSize := flag.Int("value-size", 100, "bytes a value")
	deleteEvery := flag.Int("delete-every", 0, "make every n-th change a delete; 0 for none")
	leases := flag.Bool("leases", false, "give every key a lease of its own")
	connections := flag.Int("connections", 4, "connections to the server")
	workers := flag.Int("workers", 256, "requests on their way at once")
	flag.Parse()

	clients := make([]*clientv3.Client, *connections)
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}})
		if err != nil {
			log.Fatal(err)
		}
		defer client.Close()
		clients[i] = client
	}
	leaseOf := make([]atomic.Int64, *keys)
	value := strings.Repeat("0123456789abcdef", *valueSize/16+1)[:*valueSize]
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range *workers {
		group.Add(1)
		go func() {
			defer group.Done()
			client := clients[worker%len(clients)]
			for {
				number := int(next.Add(1)) - 1
				if number >= *puts {
					return
				}
				if err := change(client, number, *deleteEvery, value, *leases, leaseOf); err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	group.Wait()
}

// change writes or deletes one key; with leases, each key gets one at its first put and keeps it.
func change(client *clientv3.Client, number, deleteEvery int, value string, leases bool, leaseOf []atomic.Int64) error {
	ctx := context.Background()
	place := number % len(leaseOf)
	key := fmt.Sprintf("/registry/things/namespace-%03d/thing-%08d", place%500, place)
	if deleteEvery > 0 && number%deleteEvery == deleteEvery-1 {
		_, err := client.Delete(ctx, key)
		return err
	}
	if !leases {
		_, err := client.Put(ctx, key, value)
		return err
	}
	id := clientv3.LeaseID(leaseOf[place].Load())
	if id == clientv3.NoLease {
		lease, err := client.Grant(ctx, 30*24*3600)
		if err != nil {
			return err
		}
		id = lease.ID
		leaseOf[place].Store(int64(id))
	}
	_, err := client.Put(ctx, key, value, clientv3.WithLease(id))
	return err
}
