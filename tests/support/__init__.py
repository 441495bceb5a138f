"""What the tests share: real programs, real servers, samples."""
