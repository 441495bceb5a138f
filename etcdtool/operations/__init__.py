"""What etcdtool does, one public function each."""
